import MCPProtocol
import NIOCore
import Testing

@Suite("Parameters in header fields")
struct ParameterHeaderTests {
    private func json(_ text: String) throws -> JSONText { try JSONText(validating: ByteBuffer(string: text)) }

    private func annotations(_ schema: String) throws -> [ParameterHeader] {
        let json = try json(schema)
        return try ParameterHeader.annotations(of: json.root, in: json)
    }

    // MARK: Schemas

    @Test("annotations are found where only properties lead to them")
    func found() throws {
        let found = try annotations(
            #"{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"where":{"type":"object","properties":{"x-mcp-header":{"type":"integer","x-mcp-header":"a.B~"}}},"dry":{"x-mcp-header":"Dry","type":"boolean"},"plain":{"type":"string"}}}"#
        )
        #expect(found.map(\.name) == ["Region", "a.B~", "Dry"])
        #expect(found.map(\.path) == [["region"], ["where", "x-mcp-header"], ["dry"]])
        #expect(found.map(\.kind) == [.string, .integer, .boolean])
    }

    @Test("what is data in a schema is no annotation", arguments: ["default", "const", "examples", "x-other", "$comment"])
    func data(key: String) throws {
        #expect(try annotations(#"{"properties":{"a":{"type":"object","\#(key)":{"x-mcp-header":"A"}}}}"#).isEmpty)
        #expect(try annotations("{}").isEmpty)
        #expect(try annotations("[1]").isEmpty)
    }

    @Test(
        "an annotation anywhere else makes the schema invalid",
        arguments: [
            #"{"x-mcp-header":"A","type":"string"}"#,
            #"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            #"{"properties":{"a":{"items":[{"type":"string","x-mcp-header":"A"}]}}}"#,
            #"{"properties":{"a":{"prefixItems":[{"type":"string","x-mcp-header":"A"}]}}}"#,
            #"{"properties":{"a":{"anyOf":[{"type":"string","x-mcp-header":"A"},{"type":"null"}]}}}"#,
            #"{"oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            #"{"if":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#,
            #"{"not":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#,
            ##"{"$defs":{"a":{"type":"string","x-mcp-header":"A"}},"properties":{"a":{"$ref":"#/$defs/a"}}}"##,
            #"{"additionalProperties":{"type":"string","x-mcp-header":"A"}}"#,
            #"{"dependencies":{"b":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}}"#,
            #"{"patternProperties":{".":{"type":"string","x-mcp-header":"A"}}}"#,
        ])
    func elsewhere(schema: String) {
        #expect(throws: ParameterHeader.Invalid.self) { try annotations(schema) }
    }

    @Test(
        "a name must be a token",
        arguments: ["\"\"", #""a b""#, #""a\r\nb""#, #""a:b""#, #""ü""#, "1", "null", "{}", #"["A"]"#])
    func names(name: String) {
        #expect(throws: ParameterHeader.Invalid.self) {
            try annotations(#"{"properties":{"a":{"type":"string","x-mcp-header":\#(name)}}}"#)
        }
    }

    @Test(
        "a parameter must be a string, an integer or a boolean",
        arguments: [#""number""#, #""object""#, #""array""#, #"["string","null"]"#, "null"])
    func types(type: String) {
        #expect(throws: ParameterHeader.Invalid.self) { try annotations(#"{"properties":{"a":{"type":\#(type),"x-mcp-header":"A"}}}"#) }
        #expect(throws: ParameterHeader.Invalid.self) { try annotations(#"{"properties":{"a":{"x-mcp-header":"A"}}}"#) }
    }

    @Test("a name stands once, in whatever case")
    func twice() throws {
        let error = try #require(throws: ParameterHeader.Invalid.self) {
            try annotations(
                #"{"properties":{"a":{"type":"string","x-mcp-header":"Region"},"b":{"properties":{"c":{"type":"string","x-mcp-header":"REGION"}}}}}"#
            )
        }
        #expect(error.description.contains("twice"))
    }

    @Test("keys may be written with escapes")
    func escapes() throws {
        let text = #"{"propert\u0069es":{"\u0061":{"type":"str\u0069ng","x-mcp-\u0068eader":"A"}}}"#
        #expect(ParameterHeader.mayStand(in: try json(text)))
        #expect(try annotations(text).map(\.path) == [["a"]])
        #expect(!ParameterHeader.mayStand(in: try json(#"{"properties":{"a":{"type":"string","x-mcp-heade":"\n"}}}"#)))
        #expect(!ParameterHeader.mayStand(in: try json("1")))
    }

    // MARK: Values

    private func header(_ kind: String, _ path: [String] = ["a"]) throws -> ParameterHeader {
        let inner = path.reversed().reduce(#"{"type":"\#(kind)","x-mcp-header":"A"}"#) { #"{"properties":{"\#($1)":\#($0)}}"# }
        return try #require(annotations(inner).first)
    }

    private func text(_ kind: String, _ value: String) throws -> String? {
        let json = try json(#"{"a":\#(value)}"#)
        let header = try header(kind)
        return header.text(of: header.span(in: json, arguments: json.root), in: json)
    }

    @Test(
        "a value's text",
        arguments: [
            ("string", #""x\ty""#, "x\ty"), ("string", "\"\"", ""), ("boolean", "true", "true"), ("boolean", "false", "false"),
            ("integer", "42", "42"), ("integer", "-7", "-7"), ("integer", "42.0", "42"), ("integer", "1e2", "100"),
            ("integer", "120e-1", "12"), ("integer", "-0", "0"), ("integer", "0.0e5", "0"),
            ("integer", "9007199254740993", "9007199254740993"), ("integer", "-9223372036854775808", "-9223372036854775808"),
            ("integer", "1e400", "1e400"), ("integer", "1.5", "1.5"), ("integer", "1e99999999999999999999", "1e99999999999999999999"),
            // Of another type than the schema says.
            ("integer", #""3""#, "3"), ("string", "3.0", "3.0"), ("boolean", "1", "1"),
            ("string", "null", nil), ("string", "{}", nil), ("integer", "[1]", nil),
        ] as [(String, String, String?)])
    func texts(kind: String, value: String, expected: String?) throws {
        #expect(try text(kind, value) == expected)
    }

    @Test(
        "integers are compared as numbers, exactly",
        arguments: [
            ("42.0", "42", true), ("42", "42.0", true), ("42", "1e2", false), ("100", "1e2", true), ("1E+2", "100", true),
            ("042", "42", true),
            ("-0", "0", true), ("9007199254740992", "9007199254740993", false), ("9007199254740991.4", "9007199254740991", false),
            ("-9223372036854775808", "42", false), ("-9223372036854775808", "-9223372036854775808", true), ("0x2A", "42", false),
            ("+42", "42", false), (" 42", "42", false), ("42.", "42", false), (".5e1", "5", false), ("inf", "1e400", false),
            ("nan", "42", false), ("", "42", false), ("-", "42", false), ("1e", "1", false), ("4\u{664}", "44", false),
            ("1e-9223372036854775808", "0", false), ("0e-999999999", "0", true), ("3", #""3""#, true), ("3.0", #""3""#, false),
        ])
    func integers(field: String, value: String, expected: Bool) throws {
        let json = try json(#"{"a":\#(value)}"#)
        let header = try header("integer")
        #expect(header.matches(field, header.span(in: json, arguments: json.root), in: json) == expected)
    }

    @Test("texts are compared byte for byte")
    func bytes() throws {
        let json = try json(#"{"a":"e\u0301"}"#)
        let header = try header("string")
        let span = header.span(in: json, arguments: json.root)
        #expect(header.matches("e\u{301}", span, in: json))
        #expect(!header.matches("\u{E9}", span, in: json))
        #expect(!header.matches("E\u{301}", span, in: json))
    }

    @Test("a value is found at its path, and missing where the path breaks off")
    func path() throws {
        let header = try header("string", ["where", "zone"])
        for (arguments, expected) in [
            (#"{"where":{"zone":"z"}}"#, "z"), (#"{"wh\u0065re":{"\u007aone":"z"}}"#, "z"), (#"{"where":{"zone":null}}"#, nil),
            (#"{"where":"zone"}"#, nil), (#"{"where":[{"zone":"z"}]}"#, nil), (#"{"zone":"z"}"#, nil), ("{}", nil), ("[]", nil),
            ("null", nil),
        ] as [(String, String?)] {
            let json = try json(arguments)
            #expect(header.text(of: header.span(in: json, arguments: json.root), in: json) == expected)
        }
        #expect(!header.span(in: try json("{}"), arguments: .absent).isPresent)
    }

    @Test("of members of one name the last counts, and that there are several can be told")
    func duplicates() throws {
        let header = try header("string", ["where", "zone"])
        let json = try json(#"{"where":{"zone":"a"},"where":{"zone":"b","zon\u0065":"c"}}"#)
        #expect(header.text(of: header.span(in: json, arguments: json.root), in: json) == "c")
        #expect(header.spans(in: json, arguments: json.root).count == 3)
    }
}
