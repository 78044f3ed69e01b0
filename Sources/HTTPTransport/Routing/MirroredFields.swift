import MCPProtocol

/// The header fields that repeat what the body of a modern request says (2026-07-28, basic/transports/streamable-http, "Request Metadata").
/// A class: legacy requests have none.
final class MirroredFields: Sendable {
    /// `MCP-Protocol-Version`
    let protocolVersion: String?
    /// The revision of that name.
    let revision: Revision?
    /// `Mcp-Method`
    let method: String?
    /// `Mcp-Name`, as it stands.
    let name: String?
    /// `Mcp-Param-*`: names without the prefix, values as they stand, as often as they stand there.
    let parameters: [(name: String, value: String)]
    /// `Mcp-Method` or `Mcp-Name` stands twice: who reads the first and who reads the last would disagree.
    let isRepeated: Bool

    init(
        protocolVersion: String?, method: String? = nil, name: String? = nil, parameters: [(name: String, value: String)] = [],
        isRepeated: Bool = false
    ) {
        self.protocolVersion = protocolVersion
        revision = protocolVersion.flatMap { Revision(rawValue: $0) }
        self.method = method
        self.name = name
        self.parameters = parameters
        self.isRepeated = isRepeated
    }

    /// Nil when the header has nothing of the modern era.
    convenience init?(_ head: RequestHead) {
        guard head.namesModernRevision || head.mcpMethod != nil || head.mcpName != nil || !head.parameters.isEmpty else { return nil }
        self.init(
            protocolVersion: head.protocolVersion, method: head.mcpMethod, name: head.mcpName, parameters: head.parameters,
            isRepeated: head.repeatsMirrored)
    }

    /// It names a revision that has no `initialize`, or one that nobody knows.
    var namesModernRevision: Bool { protocolVersion != nil && revision?.era != .legacy }

    /// The values of a parameter's field.
    ///
    /// - Parameter name: without the prefix, in any case.
    func values(of name: String) -> [String] {
        parameters.lazy.filter { $0.name.utf8.count == name.utf8.count && $0.name.lowercased() == name.lowercased() }.map(\.value)
    }
}
