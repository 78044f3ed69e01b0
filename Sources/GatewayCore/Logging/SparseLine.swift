public import Logging
import NIOConcurrencyHelpers
public import NIOCore

/// A line of the log about something that may happen thousands of times at once, with every request while a part is away. It is written at its level
/// once a period; the others are written at `debug`, and counted in the next one's `unsaid`.
public final class SparseLine: Sendable {
    /// Between two lines.
    public static let period = TimeAmount.seconds(10)

    private struct State {
        var next: NIODeadline?
        var unsaid = 0
    }

    private let logger: Logger
    private let level: Logger.Level
    private let message: Logger.Message
    private let state = NIOLockedValueBox(State())

    public init(_ logger: Logger, _ level: Logger.Level, _ message: Logger.Message) {
        self.logger = logger
        self.level = level
        self.message = message
    }

    public func write(_ metadata: @autoclosure () -> Logger.Metadata, now: NIODeadline = .now()) {
        guard let unsaid = admit(now: now) else { return logger.debug(message, metadata: metadata()) }
        logger.log(level: level, message, metadata: metadata().merging(unsaid > 0 ? ["unsaid": "\(unsaid)"] : [:]) { $1 })
    }

    /// Writes how many there were since the last line, once it is time for the next. To be called now and then.
    func flush(now: NIODeadline = .now()) {
        let unsaid = state.withLockedValue { state -> Int in
            guard state.unsaid > 0, let next = state.next, now >= next else { return 0 }
            defer { state = State(next: now + Self.period) }
            return state.unsaid
        }
        if unsaid > 0 { logger.log(level: level, message, metadata: ["unsaid": "\(unsaid)"]) }
    }

    /// How many were not written since the last one; nil when it is not yet time for the next.
    private func admit(now: NIODeadline) -> Int? {
        state.withLockedValue { state in
            if let next = state.next, now < next {
                state.unsaid += 1
                return nil
            }
            defer { state = State(next: now + Self.period) }
            return state.unsaid
        }
    }
}
