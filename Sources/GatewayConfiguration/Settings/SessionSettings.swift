/// How long sessions live (`gateway.sessions`).
public struct SessionSettings: Sendable, Equatable {
    /// A session that is not used for this long ends. Every request renews it.
    public var timeToLive = Duration.seconds(24 * 3600)
    /// Time between two searches for expired sessions.
    public var sweepInterval = Duration.seconds(60)
    /// Sessions that may exist at once; further `initialize` requests are refused.
    public var maxSessions = 100_000
    /// Sessions of one client name at once; further `initialize` requests of that client are refused.
    public var maxSessionsPerClient = 100_000
    /// A session that is idle for this long is dropped from memory; the store still has it.
    public var idleEviction = Duration.seconds(600)

    /// The defaults.
    public init() {}
}
