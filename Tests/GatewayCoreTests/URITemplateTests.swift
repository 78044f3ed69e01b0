import Testing

@testable import GatewayCore

@Suite struct URITemplateTests {
    @Test(
        "Expressions stand for any characters, literals for themselves",
        arguments: [
            ("file:///{path}", "file:///a/b", true), ("file:///{path}", "file:///", true), ("file:///{path}", "http://x", false),
            ("a/{x}/c", "a/b/c", true), ("a/{x}/c", "a/b/d", false), ("a/{x}/c", "a//c", true), ("a/{x}/c", "a/c", false),
            ("a{x}b{y}c", "abc", true), ("a{x}b{y}c", "a1b2c", true), ("a{x}b{y}c", "a1c", false), ("a{x}a", "a", false),
            ("a{x}a", "aa", true),
            ("{+x}", "anything", true), ("{x}{y}", "", true), ("fixed", "fixed", true), ("fixed", "fixed2", false), ("", "", true),
            ("", "x", false),
            ("users://{id}/profile", "users://é😀/profile", true), ("x{?q,r}", "x?q=1", true),
        ])
    func matches(_ template: String, _ uri: String, _ isMatch: Bool) { #expect(URITemplate(template).matches(uri) == isMatch) }
}
