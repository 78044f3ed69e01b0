import GatewayCore
import MCPProtocol
import NIOHTTP1

/// What the header of a modern request must have in common with its body (2026-07-28, basic/transports/streamable-http, "Server Validation").
struct ModernRequestRules {
    let fields: MirroredFields
    let message: Message

    /// Reads what the request says of its client.
    ///
    /// - Parameter parameterHeaders: those of the tool with that name.
    /// - Throws: −32020 when header and body disagree, else what ``RequestMetadata`` throws. The status is 400 for all of them.
    func check(parameterHeaders: (String) -> [ParameterHeader]) throws(RPCError) -> RequestMetadata {
        guard !fields.isRepeated else { throw mismatch("Mcp-Method or Mcp-Name is given twice") }
        try checkVersion()
        let metadata = try RequestMetadata(message)
        try checkMethod()
        try checkName()
        if message.methodName == .toolsCall, let name = message.json.string(message.routing.name) {
            for header in parameterHeaders(name) { try check(header) }
        }
        return metadata
    }

    private func mismatch(_ reason: String) -> RPCError { RPCError(code: .headerMismatch, message: "Header mismatch: \(reason)") }

    /// Byte for byte: to Swift, strings are the same that differ in their bytes.
    private static func isSame(_ one: String, _ other: String) -> Bool { one.utf8.elementsEqual(other.utf8) }

    private func checkVersion() throws(RPCError) {
        let named = RequestMetadata.protocolVersion(of: message)
        guard let field = fields.protocolVersion else {
            throw mismatch("MCP-Protocol-Version is missing; the body says \"\(named?.prefix(64) ?? "")\"")
        }
        guard let named else {
            // Nothing to compare with: the version that the header asks for decides what is wrong.
            guard fields.revision == nil else { return }
            throw RequestMetadata.unsupported(field)
        }
        guard Self.isSame(named, field) else {
            throw mismatch("MCP-Protocol-Version is \"\(field.prefix(64))\", the body says \"\(named.prefix(64))\"")
        }
    }

    private func checkMethod() throws(RPCError) {
        let method = message.methodName.name
        guard let field = fields.method else { throw mismatch("Mcp-Method is missing; the body says \"\(method.prefix(64))\"") }
        guard Self.isSame(field, method) else {
            throw mismatch("Mcp-Method is \"\(field.prefix(64))\", the body says \"\(method.prefix(64))\"")
        }
    }

    private func checkName() throws(RPCError) {
        let span: JSONSpan
        var isRequired = true
        switch message.methodName {
        case .toolsCall, .promptsGet: span = message.routing.name
        case .resourcesRead: span = message.routing.uri
        case .tasksGet, .tasksUpdate, .tasksCancel:
            span = message.routing.taskID
            isRequired = false
        default: return
        }
        // What is no string is refused for that.
        guard let value = message.json.string(span) else { return }
        guard let field = fields.name else {
            if !isRequired { return }
            throw mismatch("Mcp-Name is missing; the body says \"\(value.prefix(64))\"")
        }
        guard let name = HeaderValue.decode(field) else { throw mismatch("Mcp-Name has invalid characters or encoding") }
        guard Self.isSame(name, value) else { throw mismatch("Mcp-Name is \"\(name.prefix(64))\", the body says \"\(value.prefix(64))\"") }
    }

    private func check(_ header: ParameterHeader) throws(RPCError) {
        let json = message.json
        let arguments = message.routing.arguments
        let span = header.span(in: json, arguments: arguments)
        let name = ParameterHeader.prefix + header.name
        let values = fields.values(of: header.name)
        guard values.count <= 1 else { throw mismatch("\(name) is given twice") }
        guard header.spans(in: json, arguments: arguments).count <= 1 else {
            throw mismatch("the arguments have the value of \(name) twice")
        }
        guard let field = values.first else {
            // What cannot stand in a field is the tool's to refuse.
            guard header.text(of: span, in: json) != nil else { return }
            throw mismatch("\(name) is missing; the arguments have a value for it")
        }
        guard let value = HeaderValue.decode(field) else { throw mismatch("\(name) has invalid characters or encoding") }
        guard span.isPresent else { throw mismatch("\(name) is given; the arguments have no value for it") }
        guard header.matches(value, span, in: json) else { throw mismatch("\(name) differs from the value in the arguments") }
    }
}
