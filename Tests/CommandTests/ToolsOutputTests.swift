import ArgumentParser
import MCPProtocol
import NIOCore
import Testing

@testable import mcp_gateway

@Suite("Output of the tools command")
struct ToolsOutputTests {
    @Test("JSON is set out over lines; strings, numbers and empty containers stay as they are")
    func prettyJSON() {
        let pretty = ToolsPrettyJSON.render(ByteBuffer(string: #"{"a":[1.0,{"b":"x,{}\"y"}],"e":{},"l":[ ]}"#))
        #expect(
            pretty == #"""
                {
                  "a": [
                    1.0,
                    {
                      "b": "x,{}\"y"
                    }
                  ],
                  "e": {},
                  "l": []
                }
                """#)
    }

    @Test("what a server sends cannot steer the terminal")
    func cleaning() {
        #expect(ToolsStyle.clean("a\u{1B}[31m\u{9B}b\r\n\tc") == "a\u{FFFD}[31m\u{FFFD}b\u{FFFD}\n\tc")
        #expect(ToolsStyle.oneLine("  first line  \nsecond", width: 80) == "first line")
        #expect(ToolsStyle.oneLine("0123456789", width: 5) == "0123…")
    }

    @Test("an unknown tool suggests the nearest names")
    func nearest() throws {
        let json = try JSONText(validating: ByteBuffer(string: #"[{"name":"git__status"},{"name":"git__log"},{"name":"time__now"}]"#))
        let catalogue = ToolsCatalogue(tools: json.elements(of: json.root).map { ToolsCatalogue.Tool(json: json, span: $0) })
        #expect(catalogue.nearest(to: "git__statsu") == ["git__status"])
        #expect(catalogue.nearest(to: "status") == ["git__status"])
        #expect(catalogue.nearest(to: "GIT__LOG") == ["git__log"])
        #expect(catalogue.nearest(to: "something else") == [])
    }

    @Test("headers are parsed, and the token comes from the environment unless given")
    func headers() throws {
        let headers = try ConnectHeaders.parse(["X-A: b: c ", "y:"], environment: ["MCP_GATEWAY_TOKEN": "t"])
        #expect(headers.map(\.0) == ["X-A", "y", "Authorization"])
        #expect(headers.map(\.1) == ["b: c", "", "Bearer t"])
        #expect(try ConnectHeaders.parse(["authorization: x"], environment: ["MCP_GATEWAY_TOKEN": "t"]).count == 1)
        for bad in ["no colon", ": x", "a b: x", "é: x", "a: x\r\nb: y"] {
            #expect(throws: ValidationError.self) { try ConnectHeaders.parse([bad], environment: [:]) }
        }
    }

    @Test("the commands refuse values that cannot work")
    func validation() throws {
        #expect(throws: (any Error).self) { try ConnectCommand.parse(["ftp://x"]) }
        #expect(throws: (any Error).self) { try ConnectCommand.parse(["http://x/mcp", "--wait", "0"]) }
        #expect(throws: (any Error).self) { try ToolsCallCommand.parse(["x", "--timeout", "0"]) }
        let call = try ToolsCallCommand.parse(["echo", "a=1", "b=2", "--json", "--url", "https://h/mcp"])
        #expect(call.pairs == ["a=1", "b=2"])
        #expect(call.options.json)
    }
}
