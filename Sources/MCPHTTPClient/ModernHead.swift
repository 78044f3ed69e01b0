import MCPProtocol
import NIOHTTP1

/// What the header of a modern request repeats of its body (2026-07-28, basic/transports/streamable-http, "Request Metadata").
struct ModernHead: Sendable {
    let revision: String
    private let fields: [(name: String, value: String)]

    /// Nil for a message of the legacy era: it does not say its version itself.
    ///
    /// - Parameter parameters: the annotated parameters of tools, by their names.
    init?(_ message: Message, parameters: [String: [ParameterHeader]]) {
        guard message.kind == .request, let revision = RequestMetadata.protocolVersion(of: message) else { return nil }
        self.revision = revision
        let method = message.methodName
        var fields = [("Mcp-Method", HeaderValue.encode(method.name))]
        let source =
            switch method {
            case .toolsCall, .promptsGet: message.routing.name
            case .resourcesRead: message.routing.uri
            // SEP-2663, "Streamable HTTP: Routing Headers".
            case .tasksGet, .tasksUpdate, .tasksCancel: message.routing.taskID
            default: JSONSpan.absent
            }
        if let name = message.json.string(source) {
            fields.append(("Mcp-Name", HeaderValue.encode(name)))
            if method == .toolsCall, let annotated = parameters[name] {
                let arguments = message.param("arguments")
                for parameter in annotated {
                    let span = parameter.span(in: message.json, arguments: arguments)
                    guard let text = parameter.text(of: span, in: message.json) else { continue }
                    fields.append((ParameterHeader.prefix + parameter.name, HeaderValue.encode(text)))
                }
            }
        }
        self.fields = fields
    }

    func write(to headers: inout HTTPHeaders) {
        headers.replaceOrAdd(name: "MCP-Protocol-Version", value: revision)
        for (name, value) in fields { headers.replaceOrAdd(name: name, value: value) }
    }
}
