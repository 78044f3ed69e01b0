/// How much of a stream the event log keeps.
///
/// When an append exceeds a bound of the stream, its oldest events are dropped and counted
/// (`droppedEvents` of the store's statistics). The newest event is always kept. A reader notices a drop by the gap: the first event
/// that `EventLog.read(_:of:after:limit:completion:)` then returns has a sequence greater than `after + 1`.
public struct EventLogLimits: Sendable, Equatable {
    /// Most events of one stream; at least 1. Default 10,000.
    public var maxEventsPerStream: Int
    /// Most bytes of messages of one stream; at least 1. Default 64 MiB.
    public var maxBytesPerStream: Int
    /// Most bytes of one message; an append beyond it is refused. nil: only `maxBytesPerStream` limits it.
    public var maxEventBytes: Int?

    /// - Parameters:
    ///   - maxEventsPerStream: values below 1 count as 1.
    ///   - maxBytesPerStream: bytes; values below 1 count as 1.
    ///   - maxEventBytes: bytes; nil for no bound of its own.
    public init(maxEventsPerStream: Int = 10_000, maxBytesPerStream: Int = 64 * 1024 * 1024, maxEventBytes: Int? = nil) {
        self.maxEventsPerStream = max(1, maxEventsPerStream)
        self.maxBytesPerStream = max(1, maxBytesPerStream)
        self.maxEventBytes = maxEventBytes
    }

    /// Beyond this many bytes a message is refused.
    public var largestEvent: Int { min(maxEventBytes ?? maxBytesPerStream, maxBytesPerStream) }
}
