/// Which MCP endpoint a request path names.
package enum MCPEndpoint: Equatable {
    /// `/mcp`
    case all
    /// `/servers/<name>/mcp`
    case server(String)

    init?(path: Substring) {
        if path == "/mcp" {
            self = .all
            return
        }
        guard path.hasPrefix("/servers/"), path.hasSuffix("/mcp"), path.utf8.count >= "/servers//mcp".utf8.count else { return nil }
        let name = path.dropFirst("/servers/".count).dropLast("/mcp".count)
        self = .server(String(name))
    }

    var server: String? {
        guard case .server(let name) = self else { return nil }
        return name
    }
}
