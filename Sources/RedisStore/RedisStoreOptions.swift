public import GatewayCore

/// How this instance appears to the others.
public struct RedisStoreInstance: Sendable, Hashable {
    /// `gateway.instanceID`: one of a kind among those that share the store.
    public var name: String
    /// `cluster.address`: where the others reach it.
    public var address: String
    public var version: String
    /// `gateway.colour`.
    public var colour: String?
    public var startedAt: WallTime

    public init(name: String, address: String, version: String, colour: String?, startedAt: WallTime) {
        self.name = name
        self.address = address
        self.version = version
        self.colour = colour
        self.startedAt = startedAt
    }
}

/// What the store keeps for how long, and bounds of its machinery.
public struct RedisStoreOptions: Sendable {
    /// What every key begins with (`store.redis.keyPrefix`).
    public var keyPrefix = "mcp:"
    /// How long a session lives from when it was seen last (`sessions.timeToLive`). Its keys live a little longer, so that the sweep finds them.
    public var sessionTTL: Duration = .seconds(24 * 3600)
    /// How often the instance tells that it lives (`cluster.heartbeat`).
    public var heartbeat: Duration = .seconds(1)
    /// How long the others take it for alive without hearing of it (`cluster.lease`); more than two heartbeats.
    public var lease: Duration = .seconds(3)
    /// What the keys of the cluster derive from (`cluster.secretFile`), at least 32 bytes; nil: made once and kept in Redis.
    public var secret: [UInt8]?
    /// How long `open` waits where Redis has no secret, before it makes one: another instance may have the one that Redis has lost. More than one
    /// needs to find Redis again, and for a heartbeat. Default 3 s.
    public var secretWait: Duration = .seconds(3)
    /// How long `open` waits for Redis (`store.redis.startTimeout`). Default 10 s.
    public var openTimeout: Duration = .seconds(10)
    /// After Redis came back empty: how long an unknown session may be one that its home has yet to write again. Default 10 s.
    public var recoveryTime: Duration = .seconds(10)
    /// What was changed within so much before a connection broke is written again where it is missing: a replica that became the master may not
    /// have heard of the newest changes. Default 10 s.
    public var replicationWindow: Duration = .seconds(10)

    /// Most bytes of events that are kept after Redis acknowledged them, in case a replica that becomes the master lacks them. Default 16 MiB.
    public var recentEventBytes = 16 * 1024 * 1024
    /// Most deletions that are remembered for the same reason. Default 10,000.
    public var recentDeletions = 10_000

    /// Most calls that wait for Redis; one more completes with a `StoreError`. Default 65,536.
    public var queueCapacity = 65_536
    /// Most payload bytes of calls that wait for Redis. Default 128 MiB.
    public var queueBytes = 128 * 1024 * 1024
    /// Most sessions that are made while Redis is away and kept in memory until it is back. Default 10,000.
    public var backlogSessions = 10_000
    /// Most attributes, deletions and tasks that are kept in memory while Redis is away. Default 100,000.
    public var backlogWrites = 100_000
    /// Most sessions that one call of a script works on. Default 500.
    public var sessionsPerCall = 500
    /// Most streams that one `prune` works on. Default 500.
    public var prunedStreamsPerCall = 500
    /// Events after which one `prune` stops. Default 20,000.
    public var prunedEventsPerCall = 20_000

    public init() {}

    /// Milliseconds that the keys of a session live without being touched: longer than the session, so that it is the sweep that ends it.
    var expiry: Int64 { sessionTTL.milliseconds + sessionTTL.milliseconds / 4 + 600_000 }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
