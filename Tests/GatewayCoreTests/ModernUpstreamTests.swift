import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Modern servers") struct ModernUpstreamTests {
    private static let offers =
        #"{"tools":{"listChanged":true},"resources":{"subscribe":true},"logging":{},"completions":{}}"#

    private func modernServer(
        isolation: Isolation = .shared, capabilities: String = offers, lists: [CatalogueKind: String] = [.tools: #"{"name":"t"}"#]
    ) -> ScriptedServer {
        ScriptedServer("s", isolation: isolation, capabilities: capabilities, lists: lists, era: .modern)
    }

    private func meta(_ message: Message) -> String {
        message.json.slice(message.routing.meta).map { String(buffer: $0) } ?? ""
    }

    // MARK: Requests

    @Test("a legacy client's call says what the client declared, with its trace, and its result comes back as it is")
    func call() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try bench.request(
            "tools/call", #"{"name":"s__t","_meta":{"progressToken":"mine","io.modelcontextprotocol/logLevel":"debug"}}"#, in: session)
        let request = try #require(server.link.messages(of: .toolsCall).first)
        let metadata = try RequestMetadata(request)
        #expect(metadata.clientCapabilities == ByteBuffer(string: GatewayBench.allCapabilities))
        #expect(metadata.clientInfo == ByteBuffer(string: #"{"name":"client","version":"1"}"#))
        #expect(metadata.logLevel == nil)
        #expect(request.json.string(request.routing.name) == "t")
        #expect(request.json.slice(request.routing.progressToken) == request.idBytes)
        server.link.answer(request, result: #"{"resultType":"complete","content":[]}"#)
        bench.settle()
        #expect(sink.result == #"{"resultType":"complete","content":[]}"#)
    }

    @Test("the trace of the HTTP request goes along with what is said of the client")
    func trace() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let session = try bench.session()
        let trace = try #require(
            TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: nil))
        bench.gateway.handle(
            try bench.message(#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"s__t"}}"#), in: session,
            context: RequestContext(id: nil, trace: trace), sink: RecordingSink())
        bench.settle()
        let request = try #require(server.link.messages(of: .toolsCall).first)
        #expect(request.json.string(request.routing.traceparent) == trace.traceparent)
        #expect(try RequestMetadata(request).revision == .v2026_07_28)
    }

    @Test("the level that a legacy client set goes with each of its calls; the server is not told otherwise")
    func logLevel() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let session = try bench.session()
        #expect(try bench.request("logging/setLevel", #"{"level":"warning"}"#, in: session).result == "{}")
        #expect(try bench.request("ping", id: "2", in: session).result == "{}")
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, id: "3", in: session)
        #expect(try RequestMetadata(try #require(server.link.messages(of: .toolsCall).first)).logLevel == "warning")
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#)
        bench.settle()
        #expect(sink.texts.count == 1)
        #expect(server.link.messages(of: .loggingSetLevel).isEmpty)
        #expect(server.link.messages(of: .ping).isEmpty)
    }

    @Test("a modern client's call passes as it is")
    func modernCall() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#, capabilities: #"{"elicitation":{}}"#, logLevel: "info")
        let request = try #require(server.link.messages(of: .toolsCall).first)
        #expect("\"_meta\":" + meta(request) == GatewayBench.meta(capabilities: #"{"elicitation":{}}"#, logLevel: "info"))
        server.link.answer(request, result: #"{"resultType":"complete","content":[]}"#)
        bench.settle()
        #expect(call.sink.text("resultType") == "complete")
    }

    @Test("a missing resource is −32002 for a legacy client, and other errors stay what they are")
    func missingResource() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let session = try bench.session()
        let read = try bench.request("resources/read", #"{"uri":"x://1"}"#, in: session)
        server.link.answer(try #require(server.link.messages(of: .resourcesRead).first), code: -32602, error: "no such resource")
        let call = try bench.request("tools/call", #"{"name":"s__t"}"#, id: "2", in: session)
        server.link.answer(try #require(server.link.messages(of: .toolsCall).first), code: -32602, error: "wrong")
        bench.settle()
        #expect(read.errorCode == -32002)
        #expect(call.errorCode == -32602)
    }

    // MARK: Subscriptions

    @Test("a legacy client's subscription is the gateway's own at the server")
    func subscribe() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let (first, second) = (try bench.session(), try bench.session())
        let listener = try bench.listen(first)
        #expect(try bench.request("resources/subscribe", #"{"uri":"x://1"}"#, in: first).result == "{}")
        #expect(try bench.request("resources/subscribe", #"{"uri":"x://1"}"#, in: second).result == "{}")
        #expect(server.link.messages(of: .resourcesSubscribe).isEmpty)
        let listen = try #require(server.link.messages(of: .subscriptionsListen).last)
        #expect(listen.json.slice(listen.param("notifications")).map { String(buffer: $0) }?.contains("x://1") == true)
        server.link.notify("notifications/resources/updated", of: listen, #","uri":"x://1""#)
        bench.settle()
        #expect(listener.texts.last == #"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{},"uri":"x://1"}}"#)
        let count = server.link.messages(of: .subscriptionsListen).count
        #expect(try bench.request("resources/unsubscribe", #"{"uri":"x://1"}"#, id: "2", in: first).result == "{}")
        #expect(server.link.messages(of: .subscriptionsListen).count == count)
        #expect(try bench.request("resources/unsubscribe", #"{"uri":"x://1"}"#, id: "2", in: second).result == "{}")
        let last = try #require(server.link.messages(of: .subscriptionsListen).last)
        #expect(last.json.slice(last.param("notifications")).map { String(buffer: $0) } == #"{"toolsListChanged":true}"#)
        #expect(server.link.messages(of: .resourcesUnsubscribe).isEmpty)
    }

    @Test("a server without subscriptions refuses them, and nothing is remembered")
    func noSubscription() throws {
        let server = modernServer(capabilities: #"{"resources":{}}"#)
        let bench = GatewayBench([server])
        let session = try bench.session()
        #expect(try bench.request("resources/subscribe", #"{"uri":"x://1"}"#, in: session).errorCode == -32601)
        #expect(!session.isSubscribed(to: "x://1"))
    }

    @Test("a modern client listens to a modern server's resources and lists through the gateway's subscription")
    func modernListener() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let call = try bench.modern(
            "subscriptions/listen", #""notifications":{"toolsListChanged":true,"resourceSubscriptions":["x://1"]}"#, id: "7")
        #expect(call.sink.texts.first?.contains(#""resourceSubscriptions":["x://1"]"#) == true)
        let listen = try #require(server.link.messages(of: .subscriptionsListen).last)
        server.link.notify("notifications/resources/updated", of: listen, #","uri":"x://1""#)
        bench.settle()
        #expect(call.sink.texts.last?.contains(#""io.modelcontextprotocol/subscriptionId":7"#) == true)
        server.set(.tools, #"{"name":"u"}"#)
        server.link.notify("notifications/tools/list_changed", of: listen)
        bench.settle()
        #expect(call.sink.messages.last?.methodName == .toolsListChanged)
    }

    // MARK: Isolation

    @Test("one process of a modern server works for all sessions, however it is isolated")
    func shared() throws {
        let server = modernServer(isolation: .session)
        let bench = GatewayBench([server])
        for _ in 0..<3 { _ = try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session()) }
        _ = try bench.modern("tools/call", #""name":"s__t""#)
        #expect(server.factory.links.count == 1)
        #expect(server.link.messages(of: .toolsCall).count == 4)
        bench.gateway.hosts[0].reapIdle()
        #expect(!server.link.isClosing)
    }

    @Test("a call waits until it is known whether its session needs a process of its own", arguments: [true, false])
    func eraIsAwaited(isModern: Bool) throws {
        let factory = ScriptedFactory()
        let bench = GatewayBench { $0.startupWait = .zero }
        var definition = UpstreamDefinition(name: "s", isolation: .session, factory: factory, fingerprint: "s")
        definition.callTimeout = .hours(1)
        bench.gateway.setUpstreams([definition])
        let session = try bench.session()
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, in: session)
        #expect(factory.links.count == 1)
        let probe = factory.links[0].messages[0]
        if isModern {
            factory.links[0].answerDiscover(probe)
        } else {
            factory.links[0].answer(probe, code: -32601, error: "what?")
            factory.links[0].shakeHands()
        }
        bench.settle()
        #expect(factory.links.count == (isModern ? 1 : 2))
        if !isModern { factory.links[1].shakeHands() }
        bench.settle()
        let link = factory.links[isModern ? 0 : 1]
        link.answer(try #require(link.messages(of: .toolsCall).first), result: #"{"content":[]}"#)
        bench.settle()
        #expect(sink.isOver)
        bench.gateway.setUpstreams([])
        bench.settle()
    }
}
