import Foundation
import MCPProtocol
import NIOCore
import Testing

@testable import mcp_gateway

@Suite("Arguments of `tools call`")
struct ToolsArgumentsTests {
    private static let schema = #"""
        {"type":"object","required":["text"],"properties":{
          "text":{"type":"string"},"n":{"type":"integer"},"x":{"type":"number"},"flag":{"type":"boolean"},
          "tags":{"type":"array","items":{"type":"string"}},"ids":{"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"null"}]},
          "o":{"type":"object"},"maybe":{"anyOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]},
          "mode":{"enum":["a","b"]},"caf\u00e9":{"type":"string"},"free":{}}}
        """#

    private func make(_ pairs: [String], base: String? = nil, schema text: String = schema) throws -> String {
        let json = try JSONText(validating: ByteBuffer(string: text))
        return String(buffer: try ToolsArguments(base: base, pairs: pairs, schema: ToolsSchema(json: json, span: json.root)).object)
    }

    @Test(
        "values are typed by the schema",
        arguments: [
            ("text=5", #""text":"5""#), ("text=true", #""text":"true""#), ("text=a=b", #""text":"a=b""#), ("text=", #""text":"""#),
            ("n=5", #""n":5"#), ("n=-5", #""n":-5"#), ("x=1.50e3", #""x":1.50e3"#), ("flag=true", #""flag":true"#),
            ("tags=a", #""tags":["a"]"#), (#"tags=["a","b"]"#, #""tags":["a","b"]"#), ("ids=3", #""ids":[3]"#),
            ("ids=null", #""ids":null"#),
            (#"o={"a":1}"#, #""o":{"a":1}"#), ("maybe=7", #""maybe":7"#), ("maybe=x7", #""maybe":"x7""#), ("maybe=null", #""maybe":null"#),
            ("mode=a", #""mode":"a""#), ("café=x", #""café":"x""#), ("free=1", #""free":1"#), ("free=word", #""free":"word""#),
            ("other=1", #""other":1"#),
        ])
    func typing(pair: String, member: String) throws {
        let needsText = !pair.hasPrefix("text=")
        let expected = needsText ? "{\"text\":\"t\",\(member)}" : "{\(member)}"
        #expect(try make((needsText ? ["text=t"] : []) + [pair]) == expected)
    }

    @Test("a repeated key makes an array")
    func repeated() throws {
        #expect(try make(["text=t", "tags=a", "tags=b"]) == #"{"text":"t","tags":["a","b"]}"#)
        #expect(try make(["text=t", "ids=1", "ids=2"]) == #"{"text":"t","ids":[1,2]}"#)
        #expect(throws: ToolsError.self) { try make(["text=t", "n=1", "n=2"]) }
    }

    @Test("what does not fit is refused", arguments: ["n=x", "n=1.5", "flag=yes", "x=one", "o=[]", "ids=x", "mode=c", "novalue", "=x"])
    func refused(pair: String) {
        #expect(throws: ToolsError.self) { try make(["text=t", pair]) }
    }

    @Test("required and unknown arguments are reported by name")
    func names() {
        #expect { try make(["n=1"]) } throws: { "\($0)".contains("text (string)") }
        let closed = #"{"properties":{"a":{"type":"string"}},"additionalProperties":false}"#
        #expect { try make(["b=1"], schema: closed) } throws: { "\($0)".contains("It takes: a") }
    }

    @Test("--arguments is taken as it is, from the command line or a file, and key=value goes over it")
    func base() throws {
        #expect(
            try make([], base: #"{"text":"\u00e9","big":12345678901234567890.10}"#) == #"{"text":"\u00e9","big":12345678901234567890.10}"#)
        #expect(try make(["text=new"], base: #"{"text":"old","n":1}"#) == #"{"n":1,"text":"new"}"#)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("arguments-\(UUID().uuidString).json")
        try Data(#" {"text":"file"} "#.utf8).write(to: file)
        #expect(try make([], base: "@\(file.path)") == #"{"text":"file"}"#)
        try FileManager.default.removeItem(at: file)
        #expect(throws: ToolsError.self) { try make([], base: "@\(file.path)") }
        #expect(throws: ToolsError.self) { try make([], base: "[]") }
        #expect(throws: ToolsError.self) { try make([], base: "{") }
    }
}
