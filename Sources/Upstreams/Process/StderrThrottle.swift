import NIOCore

/// Lets a number of lines per second pass and counts the rest. A value; the clock is passed in.
struct StderrThrottle {
    enum Decision: Equatable {
        case log
        /// The first line too many of this second: report the count when `until` has come.
        case suppressAndReport(at: NIODeadline)
        case suppress
    }

    private let linesPerSecond: Int
    private var windowEnd: NIODeadline?
    private var passed = 0
    private var suppressed = 0

    init(linesPerSecond: Int) {
        self.linesPerSecond = linesPerSecond
    }

    mutating func line(at now: NIODeadline) -> Decision {
        if let end = windowEnd, now < end {
            // still in the window
        } else {
            windowEnd = now + .seconds(1)
            passed = 0
        }
        if passed < linesPerSecond {
            passed += 1
            return .log
        }
        suppressed += 1
        return suppressed == 1 ? .suppressAndReport(at: windowEnd ?? now) : .suppress
    }

    /// How many lines were suppressed since the last call.
    mutating func takeSuppressed() -> Int {
        defer { suppressed = 0 }
        return suppressed
    }
}
