import MCPProtocol
import Testing

@Suite("Values in header fields")
struct HeaderValueTests {
    @Test(
        "what a field can carry is there as it is, the rest in Base64 (the specification's examples)",
        arguments: [
            ("us-west1", "us-west1"), ("a b!~", "a b!~"), ("", ""), ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="), ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="), ("a\tb", "=?base64?YQli?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="), ("\u{7F}", "=?base64?fw==?="), ("\0", "=?base64?AA==?="),
        ])
    func examples(value: String, field: String) {
        #expect(HeaderValue.encode(value) == field)
        #expect(HeaderValue.decode(field) == value)
    }

    @Test(
        "what is no Base64 of one spelling, or no UTF-8, stands for nothing",
        arguments: [
            "=?base64?YWRk", "=?base64?!!!!?=", "=?base64?YWR?=", "=?base64?YWRkZA?=", "=?base64?YW Rk?=", "=?base64?YR==?=",
            "=?base64?_-8=?=", "=?base64?/w==?=", "=?base64?wIA=?=", "ü", "a\u{1}b", "a\rb", "\u{7F}", "\u{FFFD}",
        ])
    func invalid(field: String) {
        // Without the second marker it is a text like any other.
        #expect(HeaderValue.decode(field) == (field == "=?base64?YWRk" ? field : nil))
    }

    @Test("markers are compared byte for byte", arguments: ["=?BASE64?YWRk?=", "=?Base64?YWRk?=", "x=?base64?YWRk?=", "=?base64?=", "?="])
    func markers(field: String) {
        #expect(HeaderValue.decode(field) == field)
    }

    @Test("the empty value may be in Base64")
    func empty() {
        #expect(HeaderValue.decode("=?base64??=") == "")
    }

    @Test("whatever is encoded comes back, in bytes that a field can carry")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 7)
        let alphabet = Array("=?base64 \t\r\n\0aZ09/+\u{7F}é世\u{301}😀")
        for _ in 0..<2000 {
            let value = String((0..<Int.random(in: 0...24, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "x" })
            let field = HeaderValue.encode(value)
            #expect(field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
            #expect(field.first != " " && field.last != " ")
            #expect(HeaderValue.decode(field).map { Array($0.utf8) } == Array(value.utf8))
        }
    }
}
