/// How processes of an upstream are shared (DESIGN, decision 6).
public enum Isolation: String, Sendable, Hashable, CaseIterable {
    /// One conversation per instance; requests of all sessions are multiplexed.
    case shared
    /// One conversation per session, with the client's own capabilities.
    case session
}
