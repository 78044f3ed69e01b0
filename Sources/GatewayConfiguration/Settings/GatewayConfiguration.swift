/// The whole configuration of one gateway process: what it does itself and which servers stand behind it.
public struct GatewayConfiguration: Sendable, Equatable {
    /// The gateway's own settings, merged from flags, environment, file and defaults (in that precedence).
    public var gateway: GatewaySettings
    /// The configured servers in the order of the file, disabled ones included.
    public var servers: [ServerConfiguration]
    /// Absolute path of the file that was read; `nil` if there was none and only the built-in tools are served.
    public var source: String?
    /// Things that do not stop the gateway but that the user should read, such as a misspelt `MCP_GATEWAY_…` variable.
    public var warnings: [String]

    /// - Parameters:
    ///   - gateway: the gateway's own settings.
    ///   - servers: the servers in file order; names must be unique.
    ///   - source: absolute path of the file, `nil` for none.
    ///   - warnings: messages for the log.
    public init(
        gateway: GatewaySettings = GatewaySettings(), servers: [ServerConfiguration] = [], source: String? = nil, warnings: [String] = []
    ) {
        self.gateway = gateway
        self.servers = servers
        self.source = source
        self.warnings = warnings
    }

    /// The servers that are to be served, in file order.
    public var enabledServers: [ServerConfiguration] { servers.filter { !$0.disabled } }
}
