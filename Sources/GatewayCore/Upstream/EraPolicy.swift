/// Which era a server is taken to be of: `mcpServers.<name>.era`.
public enum EraPolicy: String, Sendable, Hashable, CaseIterable {
    /// Found out at the start.
    case auto
    /// `initialize`, without a probe.
    case legacy
    /// `server/discover`; a server that has no answer to it is not taken.
    case modern
}
