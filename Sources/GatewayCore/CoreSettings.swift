import MCPProtocol
public import NIOCore

/// What the core needs to know of the configuration.
public struct CoreSettings: Sendable {
    /// A session lives this long after its client was last heard of.
    public var sessionTTL: Duration = .seconds(24 * 3600)
    /// How long an event is kept for resumption.
    public var streamRetention: Duration = .seconds(24 * 3600)
    /// How often expired sessions are deleted.
    public var sweepInterval: TimeAmount = .seconds(60)
    /// How often `lastSeen` of used sessions is written to the store.
    public var touchInterval: TimeAmount = .seconds(1)
    /// A session that was not used for this long leaves memory; the store keeps it.
    public var memoryIdleTime: Duration = .seconds(600)
    /// Sessions that may exist at once, stored ones included; `initialize` is refused beyond.
    public var maxSessions = 100_000
    /// The same for sessions of one client id.
    public var maxSessionsPerClient = 100_000
    /// Requests in progress per session; more are refused.
    public var maxConcurrentPerSession = 256
    /// Requests of a session per second; 0: no bound.
    public var requestRatePerSession = 0
    /// Requests per second of all sessions of one client id together, creating them included; 0: no bound.
    public var requestRatePerClient = 0
    /// How often the requests of one stream, or one that another instance was passed, are worked on again, each time after the end of the process
    /// that worked on them.
    public var maxRepetitions = 2
    /// Listening streams a session keeps in memory.
    public var maxListeningStreams = 16
    /// Input requests (sampling, elicitation, roots) that wait for one client.
    public var maxOpenInputs = 64
    /// Exchanges that wait for a modern client to come back with what their legacy server asked of it.
    public var maxParkedExchanges = 1000
    /// Modern clients that listen to changes at once.
    public var maxSubscriptions = 10_000
    /// How long a parked exchange waits, and how long a `requestState` is good.
    public var parkedExchangeTimeout: TimeAmount = .minutes(10)
    /// How long clients that were asked for input may take to bring it once the gateway is on its way out.
    public var inputGrace: TimeAmount = .seconds(2)
    /// How often a modern server may ask for input before it answers one request of a legacy client.
    public var maxInputRounds = 32
    /// Subscriptions and tasks remembered per session, each.
    public var maxRememberedPerSession = 1000
    /// Entries in one page of a list.
    public var pageSize = 500
    /// How long `initialize` and lists wait for upstreams that are starting.
    public var startupWait: TimeAmount = .seconds(10)
    /// Name and version in `serverInfo`.
    public var serverName = "environment-mcp-gateway"
    public var serverVersion = "0.0.0"

    public init() {}

    /// Raw `serverInfo` of the gateway.
    var ownInfo: ByteBuffer {
        var buffer = ByteBuffer(string: "{\"name\":")
        buffer.writeJSONString(serverName)
        buffer.writeStaticString(",\"title\":\"Environment MCP Gateway\",\"version\":")
        buffer.writeJSONString(serverVersion)
        buffer.writeStaticString("}")
        return buffer
    }
}
