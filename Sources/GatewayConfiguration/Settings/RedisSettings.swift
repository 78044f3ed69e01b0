/// Redis as the store (`gateway.store.redis`); used with `store.kind: redis` only.
public struct RedisSettings: Sendable, Equatable {
    /// Where it is; not `nil` when `store.kind` is `redis`, which `ConfigurationLoader` makes sure of.
    public var url: RedisURL?
    /// How every key and channel of this gateway begins; 1 – 64 of `A-Z a-z 0-9 . _ - :`.
    public var keyPrefix = "mcp:"
    /// Deadline of one command, reconnecting included.
    public var commandTimeout = Duration.seconds(2)
    /// How long the start waits for Redis.
    public var startTimeout = Duration.seconds(10)
    /// Absolute path of a PEM file with the authorities that `rediss` servers are checked against; `nil`: the system's.
    public var caFile: String?

    /// The defaults.
    public init() {}
}
