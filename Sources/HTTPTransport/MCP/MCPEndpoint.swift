/// Which servers an MCP endpoint leads to.
package enum MCPEndpoint: Equatable {
    /// All of them: `/mcp`.
    case all
    /// One: `/servers/<name>/mcp`.
    case server(String)

    /// - Parameter name: of the endpoint, with its slash.
    init?(path: Substring, name endpoint: String) {
        if path == endpoint {
            self = .all
            return
        }
        guard path.hasPrefix("/servers/"), path.hasSuffix(endpoint), path.utf8.count >= "/servers/".utf8.count + endpoint.utf8.count else {
            return nil
        }
        let name = path.dropFirst("/servers/".count).dropLast(endpoint.count)
        self = .server(String(name))
    }

    /// The path of the endpoint that is called `name`, with its slash.
    func path(_ name: String) -> String {
        switch self {
        case .all: name
        case .server(let server): "/servers/\(server)\(name)"
        }
    }

    var server: String? {
        guard case .server(let name) = self else { return nil }
        return name
    }
}
