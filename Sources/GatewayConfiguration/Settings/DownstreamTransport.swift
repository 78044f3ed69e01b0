/// How the gateway faces its clients.
public enum DownstreamTransport: String, Sendable, Equatable, CaseIterable {
    /// Streamable HTTP on `host` and `port`.
    case http
    /// Newline-delimited messages on standard input and output, one client.
    case stdio
}
