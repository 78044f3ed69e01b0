import NIOCore

/// Lets a few log lines pass in a span of time and counts the rest: for what others can cause as often as they like. A value; the clock is
/// passed in.
struct LogThrottle: Sendable {
    private let limit: Int
    private let span: TimeAmount
    private var windowEnd: NIODeadline?
    private var passed = 0
    private var suppressed = 0

    init(limit: Int = 10, span: TimeAmount = .seconds(10)) {
        self.limit = limit
        self.span = span
    }

    /// Nil when the line is not to be written; else how many were not since the last one that was.
    mutating func pass(at now: NIODeadline) -> Int? {
        if windowEnd.map({ now >= $0 }) ?? true {
            windowEnd = now + span
            passed = 0
        }
        guard passed < limit else {
            suppressed += 1
            return nil
        }
        passed += 1
        defer { suppressed = 0 }
        return suppressed
    }
}
