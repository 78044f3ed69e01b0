public import MCPProtocol
import NIOCore

/// Which requests may be sent again when it is not known what came of them.
extension Gateway {
    /// Whether a message may be worked on twice: it changes nothing, or the same the second time. Tools say so of themselves (2025-11-25,
    /// schema, `ToolAnnotations`); of a tool that says nothing it must not be assumed.
    ///
    /// - Parameter server: the one server of the endpoint; nil for all.
    public func isRepeatable(_ message: Message, server: String?) -> Bool {
        // What is no request has no outcome: a second one finds nothing to do.
        guard message.kind == .request else { return true }
        switch message.methodName {
        case .ping, .serverDiscover, .toolsList, .promptsList, .promptsGet, .resourcesList, .resourcesTemplatesList, .resourcesRead,
            .resourcesSubscribe, .resourcesUnsubscribe, .completionComplete, .loggingSetLevel, .tasksGet, .tasksList, .tasksResult,
            .tasksCancel:
            return true
        case .toolsCall:
            guard let name = message.json.string(message.routing.name) else { return true }
            return isRepeatable(tool: name, server: server)
        default: return false
        }
    }

    /// Most bytes of requests that are kept with a stream. What is larger is not worked on again: a store that all share is no place for
    /// uploads, and hardly any request comes near.
    static let maxRepeatableBytes = 64 * 1024

    /// Those of the requests that may be worked on twice, as a stream's record keeps them; nil where there is none, or they are too large.
    func repeatable(_ requests: [Message], server: String?) -> ByteBuffer? {
        guard requests.reduce(0, { $0 + $1.bytes.readableBytes }) <= Self.maxRepeatableBytes else { return nil }
        let repeatable = requests.filter { isRepeatable($0, server: server) }
        return repeatable.isEmpty ? nil : .jsonArray(repeatable.map(\.bytes))
    }

    private func isRepeatable(tool name: String, server: String?) -> Bool {
        guard let entry = catalogueEntry(ofTool: name, server: server) else { return false }
        let annotations = entry.json.member("annotations", of: entry.json.root)
        return ["readOnlyHint", "idempotentHint"].contains { (hint: StaticString) in
            entry.json.equals(entry.json.member(hint, of: annotations), "true")
        }
    }

    /// What a tool's server says of it.
    private func catalogueEntry(ofTool name: String, server: String?) -> CatalogueEntry? {
        func find(_ name: String, in catalogue: UpstreamCatalogue?) -> CatalogueEntry? {
            catalogue?.entries(.tools).first { $0.identifier == name }
        }
        if let server, server != Self.builtinName { return find(name, in: host(named: server)?.catalogue) }
        if let tool = find(name, in: builtinCatalogue) { return tool }
        guard server == nil, let separator = name.utf8.firstSeparator else { return nil }
        return find(String(name[separator.upperBound...]), in: host(named: String(name[..<separator.lowerBound]))?.catalogue)
    }
}
