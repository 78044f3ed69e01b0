import Testing

@testable import GatewayConfiguration

@Suite struct DocumentTests {
    private func json(_ text: String, comments: Bool = false) throws -> DocumentNode {
        try JSONDocumentParser.parse(text, allowsComments: comments)
    }

    @Test("JSON keeps order, duplicates, number text and lines")
    func keeps() throws {
        let node = try json("{\n \"b\": 1.50,\n \"a\": [true, null],\n \"b\": \"x\"}")
        let members = try #require(node.members)
        #expect(members.map(\.key) == ["b", "a", "b"])
        #expect(members.map(\.line) == [2, 3, 4])
        #expect(members[0].value.value == .number("1.50"))
        #expect(members[1].value.elements?.map(\.value) == [.bool(true, text: "true"), .null])
    }

    @Test("JSON escapes are understood", arguments: [(#""\u00e9\n\t\"\\\/""#, "é\n\t\"\\/"), (#""\ud83d\ude00""#, "😀"), (#""é😀""#, "é😀")])
    func escapes(text: String, expected: String) throws {
        #expect(try json(text).string == expected)
    }

    @Test(
        "what is not JSON is refused with its line",
        arguments: [
            ("{\n\"a\": 1,\n}", 3), ("{\"a\" 1}", 1), ("[1 2]", 1), ("\n\n{", 3), ("{}\n{}", 2), ("tru", 1), ("01", 1), ("-", 1), ("1.", 1),
            ("\"\\x\"", 1), ("\"\\ud800\"", 1), ("\"\\u+123\"", 1), ("\"a\nb\"", 1), ("\"a", 1), ("// x\n{}", 1), ("[1,]", 1),
            ("{a: 1}", 1),
            (String(repeating: "[", count: 100), 1),
        ])
    func refused(text: String, line: Int) {
        #expect { try json(text) } throws: { ($0 as? DocumentError)?.line == line }
    }

    @Test("comments and trailing commas are accepted where editors write them")
    func comments() throws {
        let node = try json("// head\n{ /* a\n b */ \"a\": [1, 2,], // tail\n \"b\": \"// no comment\",\n}\n// end", comments: true)
        #expect(node.members?.map(\.key) == ["a", "b"])
        #expect(node.members?.map(\.line) == [3, 4])
        #expect(node["b"]?.string == "// no comment")
    }

    @Test("a byte order mark is skipped")
    func byteOrderMark() throws {
        #expect(try json("\u{FEFF}{}").members?.isEmpty == true)
    }

    @Test("YAML keeps order and lines, and knows types")
    func yaml() throws {
        let node = try YAMLDocumentParser.parse("b: 1\na:\n  - yes\n  - \"yes\"\n  - 1.5\n  - ~\n  - 2024-01-01\n  - 0x10\n")
        #expect(node.members?.map(\.key) == ["b", "a"])
        #expect(node.members?.map(\.line) == [1, 2])
        #expect(
            node["a"]?.elements?.map(\.value) == [
                .bool(true, text: "yes"), .string("yes"), .number("1.5"), .null, .string("2024-01-01"), .number("0x10"),
            ])
        #expect(node["a"]?.elements?.map(\.line) == [3, 4, 5, 6, 7, 8])
    }

    @Test("YAML anchors, aliases and merges are resolved")
    func merge() throws {
        let node = try YAMLDocumentParser.parse("x-base: &base\n  a: 1\n  b: 2\ny:\n  <<: *base\n  b: 3\nz: *base\n")
        #expect(node["y"]?.members?.map(\.key) == ["b", "a"])
        #expect(node["y"]?["b"]?.value == .number("3"))
        #expect(node["z"]?["a"]?.value == .number("1"))
    }

    @Test("aliases of aliases cannot grow without bound")
    func laughs() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...7 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect { try YAMLDocumentParser.parse(text) } throws: { ($0 as? DocumentError)?.message.contains("aliases") == true }
    }

    @Test("what is not YAML is refused with its line")
    func yamlErrors() {
        #expect { try YAMLDocumentParser.parse("a: 1\nb: [1\nc: 2\n") } throws: { (($0 as? DocumentError)?.line ?? 0) >= 2 }
        #expect { try YAMLDocumentParser.parse("a: 1\na: 2\n") } throws: { ($0 as? DocumentError)?.message.contains("twice") == true }
    }

    @Test(
        "the format follows the extension, and the content for unknown extensions",
        arguments: [
            ("/a/b.json", "x", DocumentFormat.json), ("/a/b.jsonc", "x", .jsonWithComments), ("/a/b.yaml", "{}", .yaml),
            ("/a/B.YML", "{}", .yaml),
            ("/a/config", "  {}", .json), ("/a/config.txt", "a: b", .yaml), ("/a.json/config", "a: b", .yaml),
        ] as [(String, String, DocumentFormat)])
    func formats(path: String, text: String, expected: DocumentFormat) {
        #expect(DocumentFormat.detect(path: path, text: text) == expected)
    }

    @Test("what is written is read as the same")
    func writer() throws {
        let text = #"{"z":{"a":[1,2.50,"x\n\u0001\"é/"],"e":{},"l":[]},"n":null,"t":true,"o":[{"a":1}]}"#
        let node = try json(text)
        let written = DocumentWriter.json(node)
        #expect(DocumentWriter.json(try json(written)) == written)
        #expect(written.contains("\"a\": [1, 2.50, \"x\\n\\u0001\\\"é/\"]"))
        #expect(written.hasSuffix("}\n"))
    }
}
