public import NIOCore

/// What the HTTP transport needs to know of the configuration.
public struct HTTPTransportSettings: Sendable {
    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 3001
    /// Origins of web pages that may call; empty: those of this machine.
    public var allowedOrigins: [String] = []
    /// Values of `Host` that are served; empty: those of this machine when bound to loopback, any otherwise.
    public var allowedHosts: [String] = []
    /// Whether responses may be SSE streams and GET opens one.
    public var enableSSE = true
    /// Whether HTTP+SSE, the transport of 2024-11-05, is served where streams are.
    public var enableLegacySSE = true
    /// What `retry:` tells clients.
    public var retry: TimeAmount = .seconds(1)
    /// Silence on a stream after which a comment is sent.
    public var keepAlive: TimeAmount = .seconds(15)
    /// A POST without an event for this long becomes an SSE stream (DESIGN, decision 3).
    public var firstEventWait: TimeAmount = .milliseconds(200)
    /// Bytes that may wait for a slow reader of a stream; beyond, its connection is closed and it can resume.
    public var slowReaderBuffer = 4 << 20
    /// Bytes of a request body.
    public var maxBodyBytes = 16 << 20
    /// Bytes of a request's header fields.
    public var maxHeaderBytes = 32 << 10
    public var maxNestingDepth = 512
    /// Messages in one JSON-RPC batch.
    public var maxBatchSize = 100
    /// Time between two `keepalive` events on `/sse/events`.
    public var eventsKeepAlive: TimeAmount = .seconds(30)
    /// How long a client may take for the header of a request, from its first byte on.
    public var headerTimeout: TimeAmount = .seconds(10)
    /// How long a client may take for the body of a request.
    public var bodyTimeout: TimeAmount = .seconds(60)
    /// How long a connection may wait for the next request.
    public var idleTimeout: TimeAmount = .minutes(5)
    /// How long a client may take nothing of what waits for it.
    public var writeTimeout: TimeAmount = .seconds(30)
    /// Requests that may wait for their answer at once.
    public var maxConcurrentRequests = 8192
    /// Connections at once.
    public var maxConnections = 16_384
    /// Whether `/api` and `/sse/events` are served.
    public var isAPIEnabled = true
    /// How long a ticket for `/sse/events` is valid.
    public var ticketLifetime = Duration.seconds(30)
    /// Bytes of the `metadata` of one session.
    public var maxMetadataBytes = 16 << 10
    /// How long open exchanges may go on after SIGTERM.
    public var drainTimeout: TimeAmount = .seconds(30)
    /// Among several instances: how long a request looks for the instance that serves it. Longer than the lease of an instance that is gone.
    public var forwardTimeout: TimeAmount = .seconds(4)
    /// Among several instances: how long a request waits for an instance that has just started to be heard of; more than a heartbeat.
    public var ownerWait: TimeAmount = .milliseconds(1250)
    /// Connections the kernel may hold before they are accepted.
    public var backlog = 4096

    public init() {}

    var servesHTTPSSE: Bool { enableSSE && enableLegacySSE }

    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}
