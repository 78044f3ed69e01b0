public import GatewayCore

/// One entry of `mcpServers`: an MCP server behind the gateway.
public struct ServerConfiguration: Sendable, Equatable {
    /// The key of the entry; the first half of `<server>__<tool>`. Always valid by `ServerName`.
    public var name: String
    /// How the gateway reaches the server.
    public var transport: ServerTransport
    /// Who shares the process or connection.
    public var isolation: Isolation
    /// Which protocol it speaks.
    public var era = EraPolicy.auto
    /// How long it may take to answer `server/discover` before it is asked to `initialize`.
    public var probeTimeout = Duration.seconds(5)
    /// How long one call may take.
    public var timeout: Duration
    /// How long `initialize` may take, the start of the process included.
    public var handshakeTimeout: Duration
    /// A process of `isolation: session` that is not used for this long is stopped; it is started again when it is needed.
    public var idleTimeout: Duration
    /// Which of the server's tools are exposed.
    public var tools: ToolFilter
    /// `/ready` fails while it is not up.
    public var required = false
    /// A disabled server is checked for mistakes but not started.
    public var disabled: Bool

    /// - Parameters:
    ///   - name: see `ServerName`.
    ///   - transport: how to reach the server.
    ///   - isolation: one process or connection for all sessions, or one for each.
    ///   - timeout: bound of one call.
    ///   - handshakeTimeout: bound of `initialize`.
    ///   - idleTimeout: bound of idleness of a session's own process.
    ///   - tools: filter on the server's own tool names.
    ///   - disabled: whether to leave it out.
    public init(
        name: String, transport: ServerTransport, isolation: Isolation = .shared, timeout: Duration = .seconds(60),
        handshakeTimeout: Duration = .seconds(30), idleTimeout: Duration = .seconds(600), tools: ToolFilter = ToolFilter(),
        disabled: Bool = false
    ) {
        self.name = name
        self.transport = transport
        self.isolation = isolation
        self.timeout = timeout
        self.handshakeTimeout = handshakeTimeout
        self.idleTimeout = idleTimeout
        self.tools = tools
        self.disabled = disabled
    }

    /// What may be logged of this server: names of variables and headers, never their values; of arguments only the count and of a
    /// URL no user, password or query, because secrets are passed in all of them.
    public var redactedDescription: String {
        var parts: [String]
        switch transport {
        case .stdio(let process):
            parts = ["stdio", "command: \(process.command)", "arguments: \(process.args.count)"]
            if !process.env.isEmpty { parts.append("env: \(process.env.keys.sorted().joined(separator: ", "))") }
            if let cwd = process.cwd { parts.append("cwd: \(cwd)") }
        case .http(let endpoint):
            parts = ["http", "url: \(RedactedURL.text(endpoint.url))"]
            if !endpoint.headers.isEmpty { parts.append("headers: \(endpoint.headers.keys.sorted().joined(separator: ", "))") }
        }
        parts.append("isolation: \(isolation.rawValue)")
        if era != .auto { parts.append("era: \(era.rawValue)") }
        if disabled { parts.append("disabled") }
        return "\(name) (\(parts.joined(separator: "; ")))"
    }
}
