/// How the gateway reaches a server.
public enum ServerTransport: Sendable, Equatable {
    case stdio(StdioServer)
    case http(HTTPServer)

    /// A child process that speaks MCP on its standard input and output.
    public struct StdioServer: Sendable, Equatable {
        /// Program name (searched in `PATH`) or path.
        public var command: String
        /// Arguments, without the program.
        public var args: [String]
        /// Variables that are added to the gateway's own environment.
        public var env: [String: String]
        /// Absolute working directory; `nil`: the gateway's.
        public var cwd: String?

        /// - Parameters:
        ///   - command: program name or path.
        ///   - args: arguments.
        ///   - env: additional variables.
        ///   - cwd: absolute working directory.
        public init(command: String, args: [String] = [], env: [String: String] = [:], cwd: String? = nil) {
            self.command = command
            self.args = args
            self.env = env
            self.cwd = cwd
        }
    }

    /// A remote Streamable HTTP server.
    public struct HTTPServer: Sendable, Equatable {
        /// Absolute `http` or `https` URL of the MCP endpoint.
        public var url: String
        /// Headers that are sent with every request.
        public var headers: [String: String]

        /// - Parameters:
        ///   - url: absolute `http` or `https` URL.
        ///   - headers: headers of every request.
        public init(url: String, headers: [String: String] = [:]) {
            self.url = url
            self.headers = headers
        }
    }
}
