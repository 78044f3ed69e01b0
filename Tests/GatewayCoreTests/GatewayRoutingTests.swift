import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite struct GatewayRoutingTests {
    private struct Builtin: BuiltinTool {
        let name = "environment_status"
        let definition = ByteBuffer(string: #"{"name":"environment_status","inputSchema":{"type":"object"}}"#)
        func call(arguments: ByteBuffer?) async throws(BuiltinToolError) -> ByteBuffer { ByteBuffer(string: #"{"content":[]}"#) }
    }

    private func names(_ sink: RecordingSink) -> [String] {
        guard let message = sink.messages.last else { return [] }
        return message.json.elements(of: message.json.member("tools", of: message.result)).compactMap { span in
            message.json.string(message.json.member("name", of: span))
        }
    }

    @Test("tools/list merges all servers with prefixes; one server's endpoint shows its own names")
    func lists() throws {
        let bench = GatewayBench(
            [.tools("b", ["z", "y"]), .tools("a", ["z", "secret"], filter: ToolFilter(allow: nil, deny: ["secret"]))], builtins: [Builtin()]
        )
        #expect(names(try bench.request("tools/list", in: try bench.session())) == ["environment_status", "b__z", "b__y", "a__z"])
        #expect(names(try bench.request("tools/list", in: try bench.session(server: "a"))) == ["z"])
        #expect(names(try bench.request("tools/list", in: try bench.session(server: "environment"))) == ["environment_status"])
        #expect(bench.gateway.hasServer("a") && bench.gateway.hasServer("environment") && !bench.gateway.hasServer("c"))
    }

    @Test("A list is walked by its cursors; a wrong cursor is an error")
    func cursors() throws {
        let bench = GatewayBench([.tools("s", ["a", "b", "c"])]) { $0.pageSize = 2 }
        let session = try bench.session()
        let first = try bench.request("tools/list", in: session)
        #expect(names(first) == ["s__a", "s__b"])
        let message = try #require(first.messages.last)
        let cursor = try #require(message.json.slice(message.json.member("nextCursor", of: message.result)))
        #expect(names(try bench.request("tools/list", "{\"cursor\":\(String(buffer: cursor))}", in: session)) == ["s__c"])
        #expect(try bench.request("tools/list", #"{"cursor":null}"#, in: session).result != nil)
        for wrong in [#""x""#, "1", "{}", #""""#] {
            #expect(try bench.request("tools/list", "{\"cursor\":\(wrong)}", in: session).errorCode == -32602, "\(wrong)")
        }
    }

    @Test("tools/call goes to the prefix's server with the prefix removed and every other byte as it was")
    func callBytes() throws {
        let (a, b) = (ScriptedServer.tools("a", ["t"]), ScriptedServer.tools("b", ["t"]))
        let bench = GatewayBench([a, b])
        let sink = try bench.send(
            #"{"id":"my id", "params":{"arguments":{"n":1e400,"b__":"b__t","k":12345678901234567890},"name":"b__t"},"method":"tools/call","jsonrpc":"2.0","extra":[ ]}"#,
            in: try bench.session())
        #expect(a.link.messages(of: .toolsCall).isEmpty)
        let sent = try #require(b.link.messages(of: .toolsCall).first)
        let id = try #require(sent.idBytes.map { String(buffer: $0) })
        #expect(
            String(buffer: sent.bytes)
                == "{\"id\":\(id), \"params\":{\"arguments\":{\"n\":1e400,\"b__\":\"b__t\",\"k\":12345678901234567890},\"name\":\"t\"},\"method\":\"tools/call\",\"jsonrpc\":\"2.0\",\"extra\":[ ]}"
        )
        b.link.receive("{\"result\":{\"content\":[],\"n\":1.50},\"id\":\(id),\"jsonrpc\":\"2.0\"}")
        bench.settle()
        #expect(sink.texts == [#"{"result":{"content":[],"n":1.50},"id":"my id","jsonrpc":"2.0"}"#])
    }

    @Test("A name that is written with escapes, or holds the separator twice, finds its tool")
    func awkwardNames() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        for (name, own) in [
            (#"\u0073__t"#, "t"), ("s__a__b", "a__b"), ("s___x", "_x"), ("s__", ""), ("s__é", "é"), (#"s__a\"b"#, "a\"b"),
            (#"s\u005f_t"#, "t"),
        ] {
            _ = try bench.request("tools/call", "{\"name\":\"\(name)\"}", in: session)
            let sent = try #require(server.link.messages(of: .toolsCall).last)
            #expect(sent.json.string(sent.param("name")) == own)
        }
    }

    @Test("On a server's endpoint names are the server's own")
    func singleEndpoint() throws {
        let server = ScriptedServer.tools("s", ["s__t"])
        let bench = GatewayBench([server, .tools("o", ["x"])])
        _ = try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session(server: "s"))
        let sent = try #require(server.link.messages(of: .toolsCall).last)
        #expect(sent.json.string(sent.param("name")) == "s__t")
    }

    @Test("Tools that do not exist, are filtered or have no name are refused without asking a server")
    func unknownTools() throws {
        let server = ScriptedServer.tools("s", ["t", "secret"], filter: ToolFilter(allow: nil, deny: ["secret"]))
        let bench = GatewayBench([server])
        let session = try bench.session()
        for params in [
            #"{"name":"t"}"#, #"{"name":"x__t"}"#, #"{"name":""}"#, #"{"name":"__t"}"#, #"{"name":"s__secret"}"#,
            #"{"name":"s__secr\u0065t"}"#, #"{"name":1}"#,
            "{}", #"{"name":null}"#,
        ] {
            #expect(try bench.request("tools/call", params, in: session).errorCode == -32602, "\(params)")
        }
        let hidden = try bench.request("tools/call", #"{"name":"secret"}"#, in: try bench.session(server: "s"))
        #expect(hidden.errorCode == -32602)
        #expect(server.link.messages(of: .toolsCall).isEmpty)
    }

    @Test("A second name in the params does not get past the filter", arguments: ["name", "n\\u0061me"])
    func duplicateName(_ key: String) throws {
        let server = ScriptedServer.tools("s", ["t", "secret"], filter: ToolFilter(allow: nil, deny: ["secret"]))
        let bench = GatewayBench([server])
        _ = try? bench.request("tools/call", "{\"name\":\"s__t\",\"\(key)\":\"secret\"}", in: try bench.session())
        #expect(!server.link.texts.contains { $0.contains("secret") })
    }

    @Test("Two sessions with the same id get their own answers")
    func sameIDs() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let first = try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session())
        let second = try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session())
        let sent = server.link.messages(of: .toolsCall)
        server.link.answer(sent[1], result: #"{"n":2}"#)
        server.link.answer(sent[0], result: #"{"n":1}"#)
        #expect(first.texts == [#"{"jsonrpc":"2.0","id":1,"result":{"n":1}}"#])
        #expect(second.texts == [#"{"jsonrpc":"2.0","id":1,"result":{"n":2}}"#])
    }

    @Test("A server's error comes back as it is, under the client's id")
    func errors() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, id: "\"x\"", in: try bench.session())
        let id = try #require(server.link.messages(of: .toolsCall)[0].idBytes)
        server.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\(String(buffer: id)),\"error\":{\"code\":-1.0e1,\"message\":\"m\",\"data\":[1]}}")
        #expect(sink.texts == [#"{"jsonrpc":"2.0","id":"x","error":{"code":-1.0e1,"message":"m","data":[1]}}"#])
        guard case .error = sink.events[0] else {
            Issue.record("no error event")
            return
        }
    }

    @Test("Progress carries the client's own token, of whatever type", arguments: ["1", "\"tok\"", "\"\""])
    func progress(_ token: String) throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let sink = try bench.request("tools/call", "{\"name\":\"s__t\",\"_meta\":{\"progressToken\":\(token)}}", in: try bench.session())
        let sent = server.link.messages(of: .toolsCall)[0]
        let own = try #require(sent.json.slice(sent.json.member("progressToken", of: sent.param("_meta"))))
        #expect(own == sent.idBytes)
        server.link.receive(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":0.50,\"progressToken\":\(String(buffer: own))}}"
        )
        #expect(
            sink.texts == [
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":0.50,\"progressToken\":\(token)}}"
            ])
        #expect(!sink.isOver)
    }

    @Test("Cancelling reaches the server under its id, ends the exchange, and a late answer is dropped")
    func cancellation() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, id: "\"1\"", in: session)
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#, in: session)
        #expect(!sink.isOver)
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1"}}"#, in: try bench.session())
        #expect(!sink.isOver)
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1","reason":"r"}}"#, in: session)
        guard case .cancelled = sink.events.last else {
            Issue.record("not cancelled")
            return
        }
        let sent = server.link.messages(of: .toolsCall)[0]
        let cancelled = try #require(server.link.messages(of: .cancelled).first)
        #expect(cancelled.json.slice(cancelled.param("requestId")) == sent.idBytes)
        #expect(cancelled.json.string(cancelled.param("reason")) == "r")
        server.link.answer(sent, result: "{}")
        #expect(sink.events.count == 1)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("A session has no more requests in progress than the bound")
    func concurrency() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server]) { $0.maxConcurrentPerSession = 2 }
        let session = try bench.session()
        let sinks = try (0..<3).map { try bench.request("tools/call", #"{"name":"s__t"}"#, id: "\($0)", in: session) }
        #expect(sinks.map { $0.errorCode } == [nil, nil, -32603])
        server.link.answer(server.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(try !bench.request("tools/call", #"{"name":"s__t"}"#, id: "4", in: session).isOver)
        #expect(bench.gateway.openExchangeCount == 2)
    }

    @Test("ping is answered by the gateway, a second initialize is refused, unknown methods without servers are not found")
    func own() throws {
        let bench = GatewayBench()
        let session = try bench.session()
        #expect(try bench.request("ping", in: session).texts == [#"{"jsonrpc":"2.0","id":1,"result":{}}"#])
        #expect(try bench.request("initialize", in: session).errorCode == -32600)
        #expect(try bench.request("vendor/x", in: session).errorCode == -32601)
        #expect(try bench.request("tools/call", #"{"name":"x"}"#, in: session).errorCode == -32602)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("A method that the gateway does not know goes to the first server that does")
    func passThrough() throws {
        let (a, b) = (ScriptedServer.tools("a", []), ScriptedServer.tools("b", []))
        let bench = GatewayBench([a, b])
        let sink = try bench.request("vendor/x", #"{"deep":[1]}"#, in: try bench.session())
        #expect(b.link.messages(of: .other("vendor/x")).isEmpty)
        a.link.answer(try #require(a.link.messages(of: .other("vendor/x")).first), code: -32601, error: "no")
        #expect(!sink.isOver)
        b.link.answer(try #require(b.link.messages(of: .other("vendor/x")).first), result: #"{"ok":true}"#)
        #expect(sink.result == #"{"ok":true}"#)
    }

    @Test("prompts/get is routed by the prefix too")
    func prompts() throws {
        let server = ScriptedServer("s", capabilities: #"{"prompts":{}}"#, lists: [.prompts: #"{"name":"p"}"#])
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try bench.request("prompts/get", #"{"name":"s__p"}"#, in: session)
        let sent = try #require(server.link.messages(of: .promptsGet).first)
        #expect(sent.json.string(sent.param("name")) == "p")
        server.link.answer(sent, result: "{}")
        #expect(sink.result == "{}")
        #expect(try bench.request("prompts/get", #"{"name":"p"}"#, in: session).errorCode == -32602)
        #expect(try bench.request("prompts/get", in: session).errorCode == -32602)
    }

    @Test("A server that crashes fails what it was doing, once")
    func crash() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session())
        server.link.crash("signal 9")
        #expect(sink.errorCode == -32000)
        #expect(sink.finals == 1)
        #expect(bench.gateway.upstreamFigures.map(\.isReady) == [false])
        #expect(bench.gateway.upstreamFigures[0].failure?.contains("signal 9") == true)
    }
}
