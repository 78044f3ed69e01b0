/// Whether a client can reach its server.
public enum RedisClientState: Sendable, Hashable, CustomStringConvertible {
    /// The first connection is being made.
    case connecting
    /// Commands go to this server.
    case connected(to: RedisAddress)
    /// There is no connection since then; the reason is that of the newest failure, fit for logs.
    case reconnecting(since: ContinuousClock.Instant, reason: String)
    case shutDown

    public var isConnected: Bool {
        if case .connected = self { true } else { false }
    }

    public var description: String {
        switch self {
        case .connecting: "connecting"
        case .connected(let address): "connected to \(address)"
        case .reconnecting(_, let reason): "reconnecting: \(reason)"
        case .shutDown: "shut down"
        }
    }
}
