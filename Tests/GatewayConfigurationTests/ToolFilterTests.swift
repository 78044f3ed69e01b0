import Testing

@testable import GatewayConfiguration

@Suite struct ToolFilterTests {
    @Test(
        "a pattern matches with * as any run and ? as any one character",
        arguments: [
            ("*", "", true), ("*", "anything", true), ("git_*", "git_log", true), ("git_*", "git", false), ("*log", "git_log", true),
            ("g?t", "git", true), ("g?t", "gt", false), ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false), ("", "", true),
            ("", "x", false), ("exact", "exact", true), ("Exact", "exact", false), ("**", "x", true), ("[a]", "[a]", true),
            ("[a]", "a", false),
            ("é*", "été", true),
        ])
    func globs(pattern: String, text: String, expected: Bool) {
        #expect(GlobPattern.matches(pattern, text) == expected)
    }

    @Test("a pattern of many stars does not take exponential time")
    func noBlowUp() {
        let pattern = String(repeating: "*a", count: 40) + "b"
        #expect(!GlobPattern.matches(pattern, String(repeating: "a", count: 2000)))
    }

    @Test("without patterns every tool is exposed")
    func everything() {
        #expect(ToolFilter().exposes("x"))
    }

    @Test("an allow list exposes only what it names, an empty one nothing")
    func allow() {
        #expect(ToolFilter(allow: ["read_*"]).exposes("read_file"))
        #expect(!ToolFilter(allow: ["read_*"]).exposes("write_file"))
        #expect(!ToolFilter(allow: []).exposes("x"))
    }

    @Test("deny is stronger than allow")
    func deny() {
        let filter = ToolFilter(allow: ["*"], deny: ["write_*"])
        #expect(filter.exposes("read_file"))
        #expect(!filter.exposes("write_file"))
    }
}
