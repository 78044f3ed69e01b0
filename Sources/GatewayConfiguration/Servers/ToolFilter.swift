/// Which tools of a server are exposed, by glob patterns on the server's own tool names.
public struct ToolFilter: Sendable, Equatable {
    /// Patterns of which one must match; `nil`: every tool is allowed.
    public var allow: [String]?
    /// Patterns of which none may match; stronger than `allow`.
    public var deny: [String]

    /// - Parameters:
    ///   - allow: patterns of which one must match; `nil` for every tool.
    ///   - deny: patterns of which none may match.
    public init(allow: [String]? = nil, deny: [String] = []) {
        self.allow = allow
        self.deny = deny
    }

    /// Whether the tool with this (upstream's own) name is exposed.
    public func exposes(_ tool: String) -> Bool {
        if deny.contains(where: { GlobPattern.matches($0, tool) }) { return false }
        guard let allow else { return true }
        return allow.contains { GlobPattern.matches($0, tool) }
    }
}
