/// Which tools of a server clients may see and call: `tools.allow` and `tools.deny`, glob patterns on the server's own names.
///
/// A tool passes when no deny pattern matches and, if there are allow patterns, one of them does.
public struct ToolFilter: Sendable, Hashable {
    /// Nil lets every tool pass that is not denied.
    public var allow: [String]?
    public var deny: [String]

    /// Lets everything pass.
    public static let everything = ToolFilter(allow: nil, deny: [])

    /// Patterns may hold `*` (any characters) and `?` (one character).
    public init(allow: [String]? = nil, deny: [String] = []) {
        self.allow = allow
        self.deny = deny
    }

    var isTrivial: Bool { allow == nil && deny.isEmpty }

    /// Whether the tool passes.
    public func passes(_ name: String) -> Bool {
        if deny.contains(where: { Self.matches(name, pattern: $0) }) { return false }
        guard let allow else { return true }
        return allow.contains { Self.matches(name, pattern: $0) }
    }

    /// Glob matching in linear time but for one backtrack point, so that no pattern is slow.
    static func matches(_ text: String, pattern: String) -> Bool {
        let text = Array(text.utf8)
        let pattern = Array(pattern.utf8)
        var (t, p) = (0, 0)
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] || pattern[p] == UInt8(ascii: "?") {
                t += 1
                p += 1
            } else if let back = star {
                p = back.pattern + 1
                t = back.text + 1
                star = (back.pattern, t)
            } else {
                return false
            }
        }
        while p < pattern.count, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.count
    }
}
