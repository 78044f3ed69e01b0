/// What can go wrong between the terminal and the server.
enum ToolsError: Error, CustomStringConvertible {
    /// The server cannot be reached.
    case unreachable(url: String, reason: String)
    /// The server, or the way to it, refused a request.
    case failed(String)
    /// The server answered with a JSON-RPC error.
    case refused(method: String, code: Int, message: String)
    /// No answer came in time.
    case timedOut(method: String, seconds: Int64)
    /// The server has no such tool.
    case unknownTool(String, nearest: [String])
    /// The arguments do not fit the tool.
    case badArguments(String)

    var description: String {
        switch self {
        case .unreachable(let url, let reason): "\(url): \(reason)\nIs the gateway running? Try `mcp-gateway serve`."
        case .failed(let reason): reason
        case .refused(let method, let code, let message): "the server refused \(method): \(message) (\(code))"
        case .timedOut(let method, let seconds): "\(method) was not answered within \(seconds) s. Give it more time with --timeout."
        case .unknownTool(let name, let nearest):
            "there is no tool \"\(name)\"."
                + (nearest.isEmpty
                    ? " `mcp-gateway tools list` shows them all."
                    : " Did you mean \(nearest.map { "\"\($0)\"" }.joined(separator: " or "))?")
        case .badArguments(let reason): reason
        }
    }
}
