import Testing

@testable import GatewayCore

@Suite struct ToolFilterTests {
    @Test(
        "Globs match the whole name",
        arguments: [
            ("", "", true), ("", "*", true), ("", "?", false), ("a", "", false), ("a", "a", true), ("a", "A", false), ("abc", "abc", true),
            ("abc", "ab", false), ("ab", "abc", false), ("abc", "a*", true), ("abc", "*c", true), ("abc", "a*c", true),
            ("abc", "a**c", true),
            ("abc", "*b*", true), ("abc", "*d*", false), ("abc", "a?c", true), ("abc", "???", true), ("abc", "????", false),
            ("abc", "?*?", true),
            ("abcbc", "a*bc", true), ("aXbXc", "a*b*c", true), ("aab", "*ab", true), ("mississippi", "m*iss*pi", true),
            ("a.c", "a.c", true),
            ("abc", "a.c", false), ("a[c", "a[c", true), ("a*c", "a*c", true), ("abc", "***", true),
        ])
    func globs(_ name: String, _ pattern: String, _ matches: Bool) {
        #expect(ToolFilter.matches(name, pattern: pattern) == matches)
    }

    @Test("A pattern of many stars is not slow")
    func hostilePattern() {
        let name = String(repeating: "a", count: 2000)
        #expect(!ToolFilter.matches(name, pattern: String(repeating: "*a", count: 500) + "b"))
        #expect(ToolFilter.matches(name, pattern: String(repeating: "*a", count: 500)))
    }

    @Test("Deny wins over allow; without allow patterns everything else passes")
    func rules() {
        #expect(ToolFilter.everything.passes("anything"))
        #expect(ToolFilter.everything.isTrivial)
        let denied = ToolFilter(allow: nil, deny: ["delete_*"])
        #expect(denied.passes("read") && !denied.passes("delete_all"))
        let allowed = ToolFilter(allow: ["read*", "list"], deny: ["read_secret"])
        #expect(allowed.passes("read_file") && allowed.passes("list"))
        #expect(!allowed.passes("read_secret") && !allowed.passes("write"))
        #expect(!ToolFilter(allow: [], deny: []).passes("anything"))
        #expect(!ToolFilter(allow: ["*"], deny: ["*"]).passes("x"))
    }
}
