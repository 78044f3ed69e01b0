import MCPProtocol
import MCPHTTPClient
import NIOCore
import NIOHTTP1
import ScriptedHTTPServer
import Testing

@Suite("Requests of 2026-07-28 over HTTP", .timeLimit(.minutes(1)))
struct ModernClientTests {
    private static func request(_ method: String, _ params: String = "", id: Int = 1, version: String = "2026-07-28") -> String {
        let more = params.isEmpty ? "" : "," + params
        return
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":{}}\#(more)}}"#
    }

    private static let answer = #"{"jsonrpc":"2.0","id":1,"result":{}}"#

    @Test(
        "the header repeats version, method and what the request is about",
        arguments: [
            ("tools/call", #""name":"t\u00e9","arguments":{}"#, "=?base64?dMOp?="),
            ("prompts/get", #""name":"p""#, "p"),
            ("resources/read", #""uri":"file:///a b""#, "file:///a b"),
            ("tools/list", #""name":"x""#, nil),
        ] as [(String, String, String?)])
    func head(method: String, params: String, name: String?) async throws {
        try await withClient { _, _, reply in
            reply.json(Self.answer, headers: [("Mcp-Session-Id", "ignored")])
        } configure: {
            $0.headers = [("Mcp-Method", "mine"), ("MCP-Protocol-Version", "mine")]
        } body: { fixture in
            for token in 1...2 {
                fixture.send(Self.request(method, params), token: UInt64(token))
                try await fixture.recorder.wait(for: token)
            }
            for request in fixture.server.requests {
                #expect(request.headers["MCP-Protocol-Version"] == ["2026-07-28"])
                #expect(request.headers["Mcp-Method"] == [method])
                #expect(request.headers["Mcp-Name"] == (name.map { [$0] } ?? []))
                #expect(request.headers["Mcp-Session-Id"] == [])
            }
        }
    }

    @Test("annotated parameters stand in the header, those that are missing or null do not")
    func parameters() async throws {
        try await withClient { _, _, reply in
            reply.json(Self.answer)
        } body: { fixture in
            let schema = try JSONText(
                validating: ByteBuffer(
                    string: #"""
                        {"properties":{"region":{"type":"string","x-mcp-header":"Region"},"flag":{"type":"boolean","x-mcp-header":"Flag"},
                        "a":{"properties":{"b":{"type":"integer","x-mcp-header":"Deep"}}},
                        "none":{"type":"string","x-mcp-header":"None"},"missing":{"type":"string","x-mcp-header":"Missing"}}}
                        """#))
            fixture.client.setParameterHeaders(["t": try ParameterHeader.annotations(of: schema.root, in: schema)])
            fixture.send(
                Self.request("tools/call", #""name":"t","arguments":{"region":"世界","a":{"b":42.0},"flag":false,"none":null}"#), token: 1)
            try await fixture.recorder.wait(for: 1)
            let headers = fixture.server.requests[0].headers
            #expect(headers["Mcp-Param-Region"] == ["=?base64?5LiW55WM?="])
            #expect(headers["Mcp-Param-Deep"] == ["42"])
            #expect(headers["Mcp-Param-Flag"] == ["false"])
            #expect(headers["Mcp-Param-None"] == [])
            #expect(headers["Mcp-Param-Missing"] == [])
        }
    }

    @Test("a legacy session on the same client is not touched by a modern request")
    func besideASession() async throws {
        try await withClient { _, number, reply in
            reply.json(number == 1 ? Fixture.initializeAnswer : Self.answer, headers: number == 1 ? [("Mcp-Session-Id", "abc")] : [])
        } body: { fixture in
            try await fixture.initialize()
            fixture.send(Self.request("server/discover"), token: 1)
            try await fixture.recorder.wait(for: 2)
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, token: 2)
            try await fixture.recorder.wait(for: 3)
            #expect(fixture.server.requests.map { $0.headers["Mcp-Session-Id"] } == [[], [], ["abc"]])
            #expect(fixture.server.requests.map { $0.headers["MCP-Protocol-Version"] } == [[], ["2026-07-28"], ["2025-11-25"]])
        }
    }

    @Test("an error without id, in the body of a refusal, answers the request it came for")
    func errorWithoutID() async throws {
        try await withClient { _, number, reply in
            let id = number == 1 ? #""id":null,"# : ""
            reply.json(#"{"jsonrpc":"2.0",\#(id)"error":{"code":-32020,"message":"no"}}"#, status: .badRequest)
        } body: { fixture in
            for token in 1...2 {
                fixture.send(Self.request("tools/list", id: token), token: UInt64(token))
                try await fixture.recorder.wait(for: token)
            }
            #expect(
                fixture.recorder.events == [
                    .message(#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"no"}}"#),
                    .message(#"{"jsonrpc":"2.0","id":2,"error":{"code":-32020,"message":"no"}}"#),
                ])
        }
    }

    @Test("a stream that is cut is not resumed")
    func noResumption() async throws {
        try await withClient { _, _, reply in
            reply.events("id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n")
            reply.cut()
        } body: { fixture in
            fixture.send(Self.request("tools/call", #""name":"t""#), token: 1)
            try await fixture.recorder.wait(for: 2)
            guard case .failed(1, .connectionLost) = fixture.recorder.events[1] else {
                Issue.record("\(fixture.recorder.events)")
                return
            }
            #expect(fixture.server.requests.count == 1)
        }
    }

    @Test("a request that is taken back closes its connection, and nothing more is heard of it")
    func cancel() async throws {
        try await withClient { request, number, reply in
            if number == 1 { reply.events("data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n") } else { reply.json(Self.answer) }
        } body: { fixture in
            fixture.send(Self.request("tools/call", #""name":"t""#), token: 1)
            try await fixture.recorder.wait(for: 1)
            fixture.client.cancel(token: 1)
            fixture.client.cancel(token: 1)
            fixture.send(Self.request("tools/list"), token: 2)
            try await fixture.recorder.wait(for: 2)
            #expect(fixture.recorder.events.last == .message(Self.answer))
            let requests = fixture.server.requests
            #expect(requests[0].connection != requests[1].connection)
        }
    }
}
