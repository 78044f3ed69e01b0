/// SSE streams and their event log (`gateway.streams`).
public struct StreamSettings: Sendable, Equatable {
    /// Value of the `retry` field: how long a client waits before it reconnects.
    public var retry = Duration.seconds(1)
    /// Time between two comments on a stream with nothing to say.
    public var keepAlive = Duration.seconds(15)
    /// Time between two `keepalive` events on `/sse/events`.
    public var eventsKeepAlive = Duration.seconds(30)
    /// How long a POST waits for its first event before it becomes an SSE stream (design decision 3).
    public var firstEventWait = Duration.milliseconds(200)
    /// Events per stream that are kept for resumption; the oldest go first.
    public var maxEventsPerStream = 10_000
    /// Bytes per stream that are kept for resumption; the oldest events go first.
    public var maxBytesPerStream = 64 << 20
    /// How long an event is kept for resumption.
    public var retention = Duration.seconds(24 * 3600)
    /// How often a call that may be worked on twice is begun again after the end of the instance that worked on it.
    public var maxRepetitions = 2
    /// Bytes that may wait for a client that reads too slowly before its stream is closed; it resumes from the event log.
    public var slowReaderBuffer = 4 << 20

    /// The defaults.
    public init() {}
}
