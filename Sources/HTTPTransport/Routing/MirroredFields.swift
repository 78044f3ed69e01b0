import MCPProtocol

/// The header fields that repeat what the body of a modern request says (2026-07-28, basic/transports/streamable-http, "Request Metadata").
/// A class: legacy requests have none.
final class MirroredFields: Sendable {
    /// `MCP-Protocol-Version`
    let protocolVersion: String?
    /// `Mcp-Method`
    let method: String?
    /// `Mcp-Name`, as it stands.
    let name: String?
    /// `Mcp-Param-*`: names in lower case without the prefix, values as they stand.
    let parameters: [(name: String, value: String)]

    init(protocolVersion: String?, method: String? = nil, name: String? = nil, parameters: [(name: String, value: String)] = []) {
        self.protocolVersion = protocolVersion
        self.method = method
        self.name = name
        self.parameters = parameters
    }

    /// Nil when the header has nothing of the modern era.
    convenience init?(_ head: RequestHead) {
        guard head.namesModernRevision || head.mcpMethod != nil || head.mcpName != nil || !head.parameters.isEmpty else { return nil }
        self.init(
            protocolVersion: head.protocolVersion, method: head.mcpMethod, name: head.mcpName, parameters: head.parameters)
    }

    /// It names a revision that has no `initialize`.
    var isOfModernRevision: Bool { protocolVersion.flatMap { Revision(rawValue: $0) }?.era == .modern }
}
