import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("What is told of tasks") struct TaskNotificationTests {
    private static let declared = #"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#
    private static let times = #""createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z""#

    private func modernServer() -> ScriptedServer {
        ScriptedServer(
            "s", capabilities: #"{"tools":{"listChanged":true},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#,
            lists: [.tools: #"{"name":"t"}"#], era: .modern)
    }

    private func legacyServer() -> ScriptedServer {
        ScriptedServer(
            "s", capabilities: #"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#,
            lists: [.tools: #"{"name":"t","execution":{"taskSupport":"optional"}}"#])
    }

    private func filter(_ listen: Message) -> String {
        listen.json.slice(listen.param("notifications")).map { String(buffer: $0) } ?? ""
    }

    private func listen(_ bench: GatewayBench, _ ids: String, server: String? = nil) throws -> GatewayBench.ModernCall {
        try bench.modern(
            "subscriptions/listen", #""notifications":{"taskIds":\#(ids)}"#, id: "7", capabilities: Self.declared, server: server)
    }

    private func answerGet(_ bench: GatewayBench, _ server: ScriptedServer, _ status: String, id: String = "T1") throws {
        let request = try #require(server.link.messages(of: .tasksGet).last)
        server.link.answer(
            request, result: #"{"taskId":"\#(id)","status":"\#(status)",\#(Self.times),"ttl":null,"pollInterval":300}"#)
        bench.settle()
    }

    // MARK: Modern clients, modern servers

    @Test("a modern client's tasks are asked for at their server, and what it tells passes with the client's id")
    func modernModern() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let call = try listen(bench, #"["s__T1","other__T1","T1"]"#)
        let sent = try #require(server.link.messages(of: .subscriptionsListen).last)
        #expect(filter(sent) == #"{"toolsListChanged":true,"taskIds":["T1"]}"#)
        #expect(String(buffer: try RequestMetadata(sent).clientCapabilities).contains("io.modelcontextprotocol/tasks"))
        #expect(call.sink.texts.first?.contains(#""notifications":{"taskIds":["s__T1"]}"#) == true)
        server.link.notify(
            "notifications/tasks", of: sent, #","taskId":"T1","status":"completed",\#(Self.times),"ttlMs":null,"result":{"x":1e400}"#)
        bench.settle()
        #expect(
            call.sink.texts.last
                == #"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"taskId":"s__T1","status":"completed",\#(Self.times),"ttlMs":null,"result":{"x":1e400}}}"#
        )
        // It is over: nothing more is asked for.
        #expect(filter(try #require(server.link.messages(of: .subscriptionsListen).last)) == #"{"toolsListChanged":true}"#)
    }

    @Test("a task that its server does not tell of is left out of the acknowledgement, and not asked for again")
    func unknownToServer() throws {
        let server = ScriptedServer(
            "s", capabilities: #"{"tools":{"listChanged":true}}"#, lists: [.tools: #"{"name":"t"}"#], era: .modern)
        let call = try listen(GatewayBench([server]), #"["s__T1"]"#)
        #expect(call.sink.texts.first?.contains(#""notifications":{"taskIds":[]}"#) == true)
        let peer = PeerBench(era: .auto)
        peer.peer.start()
        peer.link.answerDiscover(
            try #require(peer.link.messages(of: .serverDiscover).last),
            capabilities: #"{"extensions":{"io.modelcontextprotocol/tasks":{}},"resources":{"subscribe":true}}"#)
        peer.loop.run()
        let outcome = NIOLockedValueBox<Bool?>(nil)
        peer.peer.listen(to: .task("T1"), within: .hours(1)) { isAgreed in outcome.withLockedValue { $0 = isAgreed } }
        peer.peer.listen(to: .resource("x://1"), within: .hours(1)) { _ in }
        peer.loop.run()
        peer.link.acknowledge(peer.link.messages(of: .subscriptionsListen)[0], filter: #"{"resourceSubscriptions":["x://1"]}"#)
        peer.loop.run()
        #expect(outcome.withLockedValue { $0 } == false)
        peer.peer.listen(to: .resource("x://2"), within: .hours(1)) { _ in }
        peer.loop.run()
        #expect(filter(peer.link.messages(of: .subscriptionsListen)[1]) == #"{"resourceSubscriptions":["x://1","x://2"]}"#)
    }

    @Test("a listener that leaves takes its tasks with it")
    func leaving() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let call = try listen(bench, #"["T1"]"#, server: "s")
        #expect(call.sink.texts.first?.contains(#""taskIds":["T1"]"#) == true)
        call.exchange.cancel()
        bench.settle()
        #expect(filter(try #require(server.link.messages(of: .subscriptionsListen).last)) == #"{"toolsListChanged":true}"#)
    }

    @Test("a restarted server is asked for the tasks again")
    func restarted() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        _ = try listen(bench, #"["s__T1"]"#)
        server.link.crash()
        bench.loop.advanceTime(by: .seconds(5))
        bench.settle()
        #expect(server.factory.links.count == 2)
        #expect(filter(try #require(server.link.messages(of: .subscriptionsListen).last)).contains(#""taskIds":["T1"]"#))
    }

    @Test("tasks need the extension, and are strings")
    func refused() throws {
        let bench = GatewayBench([modernServer()])
        #expect(try bench.modern("subscriptions/listen", #""notifications":{"taskIds":["s__T1"]}"#).sink.errorCode == -32021)
        #expect(try listen(bench, #""s__T1""#).sink.errorCode == -32602)
        #expect(try listen(bench, "[1]").sink.errorCode == -32602)
        #expect(try bench.modern("subscriptions/listen", #""notifications":{"taskIds":[]}"#).sink.texts.count == 1)
    }

    // MARK: Modern clients, legacy servers

    @Test("a legacy server's task is looked at for its listeners, and they are told when it changes")
    func modernLegacy() throws {
        let server = legacyServer()
        let bench = GatewayBench([server])
        let call = try listen(bench, #"["s__T1"]"#)
        #expect(call.sink.events.isEmpty)
        try answerGet(bench, server, "working")
        #expect(call.sink.texts.count == 1)
        #expect(call.sink.texts[0].contains(#""notifications":{"taskIds":["s__T1"]}"#))
        bench.loop.advanceTime(by: .milliseconds(300))
        bench.settle()
        try answerGet(bench, server, "working")
        #expect(call.sink.texts.count == 1)
        // The server says by itself that something has happened: it is looked at at once.
        let looks = server.link.messages(of: .tasksGet).count
        server.link.receive(
            #"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"T1","status":"completed",\#(Self.times),"ttl":null}}"#
        )
        bench.settle()
        #expect(server.link.messages(of: .tasksGet).count == looks + 1)
        try answerGet(bench, server, "completed")
        server.link.answer(try #require(server.link.messages(of: .tasksResult).last), result: #"{"content":[]}"#)
        bench.settle()
        #expect(
            call.sink.texts.last
                == #"{"jsonrpc":"2.0","method":"notifications/tasks","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"taskId":"s__T1","status":"completed",\#(Self.times),"ttlMs":null,"pollIntervalMs":300,"result":{"content":[]}}}"#
        )
        let last = server.link.messages(of: .tasksGet).count
        bench.loop.advanceTime(by: .minutes(1))
        bench.settle()
        #expect(server.link.messages(of: .tasksGet).count == last)
    }

    @Test("a task of a legacy server is not looked at when nobody listens any more, and one that is not known is not agreed on")
    func modernLegacyEnds() throws {
        let server = legacyServer()
        let bench = GatewayBench([server])
        let call = try listen(bench, #"["s__T1"]"#)
        try answerGet(bench, server, "working")
        call.exchange.cancel()
        bench.loop.advanceTime(by: .minutes(1))
        bench.settle()
        #expect(server.link.messages(of: .tasksGet).count == 1)
        let unknown = try listen(bench, #"["s__T2"]"#)
        server.link.answer(try #require(server.link.messages(of: .tasksGet).last), code: -32602, error: "unknown")
        bench.settle()
        #expect(unknown.sink.texts.first?.contains(#""taskIds":[]"#) == true)
    }

    @Test("who begins to listen when the task is over is told so")
    func late() throws {
        let server = legacyServer()
        let bench = GatewayBench([server])
        let call = try listen(bench, #"["s__T1"]"#)
        try answerGet(bench, server, "cancelled")
        #expect(call.sink.messages.map(\.methodName) == [.subscriptionsAcknowledged, .taskNotification])
    }

    // MARK: Legacy clients, modern servers

    @Test("a client of 2025-11-25 hears of its task when the modern server tells of it")
    func legacyModern() throws {
        let server = modernServer()
        let bench = GatewayBench([server])
        let (owner, other) = (try bench.session(), try bench.session())
        let (heard, unheard) = (try bench.listen(owner), try bench.listen(other))
        _ = try bench.request("tools/call", #"{"name":"s__t","task":{}}"#, in: owner)
        server.link.answer(
            try #require(server.link.messages(of: .toolsCall).last),
            result: #"{"resultType":"task","taskId":"T1","status":"working",\#(Self.times),"ttlMs":60000}"#)
        bench.settle()
        let sent = try #require(server.link.messages(of: .subscriptionsListen).last)
        #expect(filter(sent) == #"{"toolsListChanged":true,"taskIds":["T1"]}"#)
        server.link.notify(
            "notifications/tasks", of: sent,
            #","taskId":"T1","status":"completed",\#(Self.times),"ttlMs":60000,"result":{"content":[],"isError":true}"#)
        bench.settle()
        #expect(
            heard.texts.last
                == #"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"T1","status":"failed",\#(Self.times),"ttl":60000}}"#
        )
        #expect(unheard.texts.isEmpty)
    }
}
