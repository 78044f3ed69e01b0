/// Bounds on what one client or one upstream may take (`gateway.limits`).
public struct LimitSettings: Sendable, Equatable {
    /// Bytes of one request body and of one message of an upstream.
    public var maxBodyBytes = 16 << 20
    /// Bytes of the headers of one request.
    public var maxHeaderBytes = 32 << 10
    /// Requests that one upstream works on at once.
    public var maxInFlightPerUpstream = 4096
    /// Requests of one session at once.
    public var maxConcurrentPerSession = 256
    /// Child processes per upstream with `isolation: session`.
    public var maxSessionProcesses = 200
    /// Requests of modern clients that wait for their client's input.
    public var maxParkedExchanges = 1000
    /// How long each of them waits.
    public var parkedExchangeTimeout = Duration.seconds(600)
    /// How often a modern server may ask for input before it answers one request of a legacy client.
    public var maxInputRounds = 32
    /// `subscriptions/listen` of modern clients at once.
    public var maxSubscriptions = 10_000
    /// Levels of nesting in a JSON message.
    public var maxNestingDepth = 512
    /// Messages in one JSON-RPC batch.
    public var maxBatchSize = 100
    /// Listening (GET) streams of one session at once, and as many connections to `/sse/events`.
    public var maxListeningStreamsPerSession = 16
    /// Requests of one session per second, on average; 0: no bound.
    public var requestRatePerSession = 0
    /// The same of all sessions of one client together; 0: no bound.
    public var requestRatePerClient = 0
    /// Requests that may be in progress at once, of all sessions.
    public var maxConcurrentRequests = 8192
    /// Connections of clients at once.
    public var maxConnections = 16_384
    /// How long a client may take to send the header of a request.
    public var headerTimeout = Duration.seconds(10)
    /// How long a client may take to send the body of a request.
    public var bodyTimeout = Duration.seconds(60)
    /// How long a connection may wait for the next request.
    public var idleTimeout = Duration.seconds(300)
    /// How long a client may take nothing of what is sent to it.
    public var writeTimeout = Duration.seconds(30)
    /// Bytes of one line that a child writes to its standard output.
    public var maxLineBytes = 16 << 20
    /// Bytes that may wait for a child to read its standard input.
    public var maxQueuedInputBytes = 64 << 20

    /// The defaults.
    public init() {}
}
