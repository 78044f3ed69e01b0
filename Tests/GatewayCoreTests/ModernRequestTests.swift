import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Requests of modern clients")
struct ModernRequestTests {
    @Test("server/discover tells versions, capabilities and who answers")
    func discover() throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        let sink = try bench.modern("server/discover").sink
        #expect(sink.text("resultType") == "complete")
        #expect(sink.result("supportedVersions")?.contains("\"2026-07-28\",\"2025-11-25\"") == true)
        #expect(sink.result("capabilities")?.contains("\"tools\":{\"listChanged\":true}") == true)
        #expect(sink.result("ttlMs") == "0")
        #expect(sink.text("cacheScope") == "private")
        #expect(sink.result("_meta")?.contains("io.modelcontextprotocol/serverInfo") == true)
    }

    @Test("lists have their caching hints")
    func lists() throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        let sink = try bench.modern("tools/list").sink
        #expect(sink.result("tools") == #"[{"name":"s__t"}]"#)
        #expect(sink.text("resultType") == "complete")
        #expect(sink.result("ttlMs") == "0")
    }

    @Test("a legacy server gets the call without the fields of the modern era, its client a complete result")
    func call() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t","arguments":{"n":1e400}"#, extra: #","progressToken":"mine","x":1"#)
        let request = try #require(server.link.messages(of: .toolsCall).first)
        let meta = try #require(request.json.slice(request.routing.meta)).readableBytesView
        #expect(!String(decoding: meta, as: UTF8.self).contains("io.modelcontextprotocol"))
        #expect(request.json.string(request.routing.name) == "t")
        #expect(request.json.slice(request.param("arguments")).map { String(buffer: $0) } == #"{"n":1e400}"#)
        server.link.answer(request, result: #"{"content":[],"n":1e400}"#)
        bench.settle()
        #expect(
            call.sink.result?.hasPrefix(#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":"#) == true)
        #expect(call.sink.result?.hasSuffix(#""content":[],"n":1e400}"#) == true)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("methods of the legacy era are not found", arguments: ["initialize", "ping", "logging/setLevel", "resources/subscribe"])
    func legacyMethods(method: String) throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        #expect(try bench.modern(method, #""uri":"x","level":"info""#).sink.errorCode == -32601)
    }

    @Test("a missing resource is −32602")
    func missingResource() throws {
        let server = ScriptedServer("s", capabilities: #"{"resources":{}}"#)
        let bench = GatewayBench([server])
        let call = try bench.modern("resources/read", #""uri":"x://1""#)
        let request = try #require(server.link.messages(of: .resourcesRead).first)
        server.link.receive(
            #"{"jsonrpc":"2.0","id":\#(request.idBytes.map { String(buffer: $0) } ?? ""),"error":{"code":-32002,"message":"no"}}"#)
        bench.settle()
        #expect(call.sink.errorCode == -32602)
    }

    @Test("log messages come only when asked for, at the level asked for")
    func logging() throws {
        let server = ScriptedServer("s", capabilities: #"{"tools":{},"logging":{}}"#)
        let bench = GatewayBench([server])
        func log(_ level: String) {
            server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"\#(level)","data":1}}"#)
            bench.settle()
        }
        let silent = try bench.modern("tools/call", #""name":"s__t""#)
        log("error")
        #expect(silent.sink.events.isEmpty)
        silent.exchange.cancel()
        bench.settle()
        let call = try bench.modern("tools/call", #""name":"s__t""#, logLevel: "warning")
        #expect(server.link.messages(of: .loggingSetLevel).count == 1)
        log("info")
        #expect(call.sink.events.isEmpty)
        log("error")
        #expect(call.sink.events.count == 1)
        #expect(try bench.modern("tools/call", #""name":"s__t""#, logLevel: "loud").sink.errorCode == -32602)
    }

    @Test("a closed response stream cancels the call")
    func cancel() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        call.exchange.cancel()
        bench.settle()
        #expect(server.link.messages(of: .cancelled).count == 1)
        #expect(bench.gateway.openExchangeCount == 0)
        call.exchange.cancel()
    }
}

@Suite("Input that a legacy server asks of a modern client")
struct ParkedExchangeTests {
    private func server() -> ScriptedServer { .tools("s", ["t"], isolation: .session) }

    private func ask(_ id: Int, _ text: String = "who?") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"elicitation/create","params":{"message":"\#(text)","requestedSchema":{}}}"#
    }

    private func asked(_ sink: RecordingSink) throws -> (state: String, keys: [String]) {
        #expect(sink.text("resultType") == "input_required")
        let message = try #require(sink.messages.last)
        var keys: [String] = []
        message.json.forEachMemberSpan(of: message.json.member("inputRequests", of: message.result)) { key, _ in
            keys.append(message.json.key(key))
        }
        return (try #require(sink.text("requestState")), keys)
    }

    private func retry(_ bench: GatewayBench, _ state: String, _ keys: [String], id: String = "2", params: String = #""name":"s__t""#)
        throws
        -> GatewayBench.ModernCall
    {
        let responses = keys.map { #""\#($0)":{"action":"accept","content":{"name":"x"}}"# }.joined(separator: ",")
        return try bench.modern(
            "tools/call", #"\#(params),"inputResponses":{\#(responses)},"requestState":"\#(state)""#, id: id, extra: #","progressToken":2"#)
    }

    @Test("the exchange is parked, the retry resumes it, and the result answers the retry")
    func roundTrip() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#, extra: #","progressToken":1"#)
        server.link.receive(ask(7))
        bench.settle()
        #expect(bench.gateway.parkedExchangeCount == 1)
        let (state, keys) = try asked(call.sink)
        #expect(keys.count == 1)
        #expect(call.sink.isOver)
        // The connection that carried the question is not the exchange any more.
        call.exchange.cancel()
        let retry = try retry(bench, state, keys)
        #expect(server.link.texts.last == #"{"jsonrpc":"2.0","id":7,"result":{"action":"accept","content":{"name":"x"}}}"#)
        let request = try #require(server.link.messages(of: .toolsCall).first)
        let token = try #require(request.json.slice(request.routing.progressToken))
        server.link.receive(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(String(buffer: token)),"progress":1}}"#)
        bench.settle()
        #expect(retry.sink.texts.last?.contains(#""progressToken":2"#) == true)
        server.link.answer(request, result: #"{"content":[]}"#)
        bench.settle()
        #expect(retry.sink.messages.last?.idBytes.map { String(buffer: $0) } == "2")
        #expect(retry.sink.text("resultType") == "complete")
        #expect(bench.gateway.parkedExchangeCount == 0)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("several rounds, each with a state that works once")
    func rounds() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(1))
        bench.settle()
        let first = try asked(call.sink)
        let second = try retry(bench, first.state, first.keys)
        server.link.receive(ask(2))
        bench.settle()
        let again = try asked(second.sink)
        #expect(again.keys != first.keys)
        #expect(try retry(bench, first.state, first.keys, id: "3").sink.errorCode == -32602)
        let third = try retry(bench, again.state, again.keys, id: "4")
        let request = try #require(server.link.messages(of: .toolsCall).first)
        server.link.answer(request, result: "{}")
        bench.settle()
        #expect(third.sink.text("resultType") == "complete")
        #expect(try retry(bench, again.state, again.keys, id: "5").sink.errorCode == -32602)
    }

    @Test("what was not answered is asked again")
    func missingAnswer() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(1))
        server.link.receive(ask(2))
        bench.settle()
        let first = try asked(call.sink)
        let second = try retry(bench, first.state, first.keys)
        let again = try asked(second.sink)
        #expect(again.keys.count == 1)
        _ = try retry(bench, again.state, again.keys, id: "3")
        #expect(server.link.texts.suffix(2).allSatisfy { $0.contains("accept") })
    }

    @Test("a result that comes while nobody waits is kept for the retry")
    func lateResult() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(1))
        bench.settle()
        let (state, keys) = try asked(call.sink)
        let request = try #require(server.link.messages(of: .toolsCall).first)
        server.link.answer(request, result: "{}")
        bench.settle()
        let retry = try retry(bench, state, keys)
        #expect(retry.sink.text("resultType") == "complete")
        #expect(retry.sink.messages.last?.idBytes.map { String(buffer: $0) } == "2")
        #expect(bench.gateway.parkedExchangeCount == 0)
    }

    @Test("a state that was changed, is of another request or of another endpoint is refused")
    func refused() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t","arguments":{"a":1,"b":2}"#)
        server.link.receive(ask(1))
        bench.settle()
        let (state, keys) = try asked(call.sink)
        let params = #""name":"s__t","arguments":{"a":1,"b":2}"#
        let changed = String(state.dropLast(4)) + (state.hasSuffix("AAAA") ? "BBBB" : "AAAA")
        #expect(try retry(bench, changed, keys, params: params).sink.errorCode == -32602)
        #expect(try retry(bench, "", keys, params: params).sink.errorCode == -32602)
        #expect(try retry(bench, state, keys, params: #""name":"s__t","arguments":{"a":1,"b":3}"#).sink.errorCode == -32602)
        #expect(
            try bench.modern("tools/call", #""name":"t","arguments":{"a":1,"b":2},"requestState":"\#(state)""#, server: "s").sink.errorCode
                == -32602)
        // The same request in another order and spacing is the same request.
        _ = try retry(bench, state, keys, params: #""arguments": {"b":2, "a":1}, "name":"s__t""#)
        #expect(server.link.texts.last?.contains("accept") == true)
    }

    @Test("an exchange that nobody resumes is ended, and its state is refused")
    func expiry() throws {
        let server = server()
        let bench = GatewayBench([server]) { $0.parkedExchangeTimeout = .seconds(60) }
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(1))
        bench.settle()
        let (state, keys) = try asked(call.sink)
        bench.loop.advanceTime(by: .seconds(62))
        bench.settle()
        #expect(bench.gateway.parkedExchangeCount == 0)
        #expect(bench.gateway.openExchangeCount == 0)
        #expect(server.link.messages(of: .cancelled).count == 1)
        #expect(try retry(bench, state, keys).sink.errorCode == -32602)
        bench.advance(.seconds(61))
        #expect(try retry(bench, state, keys).sink.texts.last?.contains("has expired") == true)
    }

    @Test("nobody's input is waited for when the gateway stops")
    func draining() async throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(1))
        bench.settle()
        _ = try asked(call.sink)
        bench.gateway.beginDraining()
        bench.gateway.parked.endWaiting()
        bench.settle()
        #expect(bench.gateway.openExchangeCount == 0)
        let late = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.receive(ask(2))
        bench.settle()
        #expect(late.sink.errorCode == -32603)
    }

    @Test("more than may wait are refused with the limit's name")
    func limit() throws {
        let server = server()
        let bench = GatewayBench([server]) { $0.maxParkedExchanges = 1 }
        for _ in 0..<2 {
            let call = try bench.modern("tools/call", #""name":"s__t""#)
            server.link.receive(ask(1))
            bench.settle()
            if bench.gateway.parkedExchangeCount == 1, call.sink.errorCode == nil { continue }
            #expect(call.sink.texts.last?.contains("limits.maxParkedExchanges") == true)
        }
        #expect(bench.gateway.parkedExchangeCount == 1)
    }

    @Test("what the client did not declare is not asked of it")
    func undeclared() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#, capabilities: "{}")
        server.link.receive(ask(3))
        bench.settle()
        #expect(call.sink.events.isEmpty)
        #expect(server.link.texts.last?.contains("-32601") == true)
        server.link.receive(#"{"jsonrpc":"2.0","id":4,"method":"ping"}"#)
        bench.settle()
        #expect(server.link.texts.last == #"{"jsonrpc":"2.0","id":4,"result":{}}"#)
        // A server that fails for it says what the client lacks; one that does without is heard as it is.
        let id = try #require(server.link.messages(of: .toolsCall).first?.idBytes)
        server.link.receive(#"{"jsonrpc":"2.0","id":\#(String(buffer: id)),"error":{"code":-32601,"message":"no"}}"#)
        bench.settle()
        #expect(call.sink.errorCode == -32021)
        #expect(call.sink.texts.last?.contains(#""data":{"requiredCapabilities":{"elicitation":{}}}"#) == true)
    }

    @Test("a process serves one modern request after another of the same client, and never two at once")
    func pool() throws {
        let server = server()
        let bench = GatewayBench([server])
        func finish(_ call: GatewayBench.ModernCall, on link: ScriptedLink) throws {
            let request = try #require(link.messages(of: .toolsCall).last)
            link.answer(request, result: "{}")
            bench.settle()
            #expect(call.sink.isOver)
        }
        let catalogue = server.factory.links.count
        let first = try bench.modern("tools/call", #""name":"s__t""#)
        let own = server.link
        let second = try bench.modern("tools/call", #""name":"s__t""#)
        #expect(server.factory.links.count == catalogue + 2)
        try finish(first, on: own)
        try finish(second, on: server.link)
        let third = try bench.modern("tools/call", #""name":"s__t""#)
        #expect(server.factory.links.count == catalogue + 2)
        // Another client's declared capabilities are another process.
        _ = try bench.modern("tools/call", #""name":"s__t""#, capabilities: "{}")
        #expect(server.factory.links.count == catalogue + 3)
        third.exchange.cancel()
        bench.settle()
    }
}

@Suite("subscriptions/listen")
struct SubscriptionTests {
    @Test("the acknowledgement comes first, then what was asked for, with the request's id")
    func changes() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let call = try bench.modern("subscriptions/listen", #""notifications":{"toolsListChanged":true}"#, id: "\"sub\"")
        #expect(
            call.sink.texts == [
                #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"},"notifications":{"toolsListChanged":true}}}"#
            ])
        server.set(.tools, #"{"name":"t"},{"name":"u"}"#)
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        bench.settle()
        #expect(
            call.sink.texts.last
                == #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}}"#
        )
        call.exchange.cancel()
        bench.settle()
        #expect(bench.gateway.sessionsInMemory == 0)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("only what was asked for comes")
    func filter() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let call = try bench.modern("subscriptions/listen", #""notifications":{"promptsListChanged":true,"toolsListChanged":false}"#)
        server.set(.tools, #"{"name":"u"}"#)
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
        bench.settle()
        #expect(call.sink.events.count == 1)
    }

    @Test("a resource is subscribed to at its server, updates come, and the end unsubscribes")
    func resources() throws {
        let server = ScriptedServer(
            "s", capabilities: #"{"resources":{"subscribe":true}}"#, lists: [.resources: #"{"uri":"x://1","name":"one"}"#])
        let bench = GatewayBench([server])
        let call = try bench.modern("subscriptions/listen", #""notifications":{"resourceSubscriptions":["x://1"]}"#, id: "5")
        #expect(call.sink.events.isEmpty)
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x://1"}}"#)
        bench.settle()
        // Nothing comes before the acknowledgement.
        #expect(call.sink.events.isEmpty)
        server.link.answer(try #require(server.link.messages(of: .resourcesSubscribe).first), result: "{}")
        bench.settle()
        #expect(
            call.sink.messages.map(\.methodName) == [.subscriptionsAcknowledged, .resourcesUpdated])
        #expect(call.sink.texts.first?.contains(#""notifications":{"resourceSubscriptions":["x://1"]}"#) == true)
        #expect(call.sink.texts.last?.contains(#""io.modelcontextprotocol/subscriptionId":5"#) == true)
        call.exchange.cancel()
        bench.settle()
        #expect(server.link.messages(of: .resourcesUnsubscribe).count == 1)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("a resource whose server refuses is left out of the acknowledgement")
    func refusedResource() throws {
        let server = ScriptedServer("s", capabilities: #"{"resources":{}}"#, lists: [.resources: #"{"uri":"x://1","name":"one"}"#])
        let bench = GatewayBench([server])
        let call = try bench.modern("subscriptions/listen", #""notifications":{"resourceSubscriptions":["x://1"]}"#)
        let request = try #require(server.link.messages(of: .resourcesSubscribe).first)
        server.link.receive(
            #"{"jsonrpc":"2.0","id":\#(request.idBytes.map { String(buffer: $0) } ?? ""),"error":{"code":-32601,"message":"no"}}"#)
        bench.settle()
        #expect(call.sink.texts.first?.contains(#""notifications":{"resourceSubscriptions":[]}"#) == true)
    }

    @Test("the gateway ends it with a result when it stops")
    func graceful() async throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        let call = try bench.modern("subscriptions/listen", #""notifications":{}"#, id: "9")
        bench.gateway.beginDraining()
        bench.gateway.subscriptions.end()
        bench.settle()
        #expect(call.sink.text("resultType") == "complete")
        #expect(call.sink.result("_meta")?.contains(#""io.modelcontextprotocol/subscriptionId":9"#) == true)
        #expect(bench.gateway.openExchangeCount == 0)
        #expect(try bench.modern("subscriptions/listen", #""notifications":{}"#).sink.errorCode == -32603)
    }

    @Test("more listeners than may be are refused with the limit's name, and one that leaves makes room")
    func limit() throws {
        let bench = GatewayBench([.tools("s", ["t"])]) { $0.maxSubscriptions = 1 }
        let first = try bench.modern("subscriptions/listen", #""notifications":{}"#, id: "1")
        let hits = LimitHits.total(.maxSubscriptions)
        let second = try bench.modern("subscriptions/listen", #""notifications":{}"#, id: "2")
        #expect(first.sink.errorCode == nil)
        #expect(second.sink.errorCode == -32603)
        #expect(second.sink.texts.last?.contains("limits.maxSubscriptions") == true)
        #expect(LimitHits.total(.maxSubscriptions) == hits + 1)
        first.exchange.cancel()
        bench.settle()
        #expect(bench.gateway.subscriptions.count == 0)
        #expect(try bench.modern("subscriptions/listen", #""notifications":{}"#, id: "3").sink.errorCode == nil)
    }

    @Test(
        "a filter that is none is refused",
        arguments: [
            "", #""notifications":[]"#, #""notifications":{"toolsListChanged":1}"#, #""notifications":{"resourceSubscriptions":"x"}"#,
            #""notifications":{"resourceSubscriptions":[1]}"#,
        ])
    func invalid(params: String) throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        #expect(try bench.modern("subscriptions/listen", params).sink.errorCode == -32602)
        #expect(bench.gateway.openExchangeCount == 0)
    }
}
