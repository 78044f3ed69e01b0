/// Who shares an upstream (design decision 6).
public enum ServerIsolation: String, Sendable, Equatable, CaseIterable {
    /// One process or connection for all sessions of this instance. Such a server cannot ask its client for anything.
    case shared
    /// One process or connection per session; the server may use sampling, elicitation and roots.
    case session
}
