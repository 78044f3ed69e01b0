import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import GatewayCore

@Suite struct GatewayNotificationTests {
    private func log(_ level: String) -> String {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"\(level)\",\"data\":1}}"
    }

    private let changed = #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#

    @Test("Log messages reach listening sessions from the level that each asked for")
    func logLevels() throws {
        let server = ScriptedServer("s", capabilities: #"{"logging":{}}"#)
        let bench = GatewayBench([server])
        let (warning, debug, none) = (try bench.session(), try bench.session(), try bench.session())
        #expect(try bench.request("logging/setLevel", #"{"level":"warning"}"#, in: warning).result == "{}")
        #expect(try bench.request("logging/setLevel", #"{"level":"debug"}"#, in: debug).result == "{}")
        let subscribers = [try bench.listen(warning), try bench.listen(debug), try bench.listen(none)]
        for level in LogLevel.allCases { server.link.receive(log(level.rawValue)) }
        bench.settle()
        #expect(subscribers.map(\.events.count) == [5, 8, 0])
        let asked = server.link.messages(of: .loggingSetLevel).map { $0.json.string($0.param("level")) }
        #expect(asked == ["warning", "debug"])
    }

    @Test("A level that does not exist is refused", arguments: ["{}", #"{"level":"loud"}"#, #"{"level":1}"#, #"{"level":"Error"}"#])
    func badLevel(_ params: String) throws {
        let bench = GatewayBench()
        #expect(try bench.request("logging/setLevel", params, in: try bench.session()).errorCode == -32602)
    }

    @Test("A log message during a call belongs to the call, below the session's level it is dropped")
    func logDuringCall() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let (caller, other) = (try bench.session(), try bench.session())
        _ = try bench.request("logging/setLevel", #"{"level":"error"}"#, in: caller)
        _ = try bench.request("logging/setLevel", #"{"level":"debug"}"#, in: other)
        let listening = try bench.listen(other)
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, in: caller)
        server.link.receive(log("info"))
        server.link.receive(log("critical"))
        bench.settle()
        #expect(sink.texts == [log("critical")])
        #expect(listening.events.isEmpty)
    }

    @Test("What a shared server says while it works for several sessions is shown to none of them")
    func ambiguous() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let sinks = [
            try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session()),
            try bench.request("tools/call", #"{"name":"s__t"}"#, in: try bench.session()),
        ]
        server.link.receive(log("error"))
        bench.settle()
        #expect(sinks.map(\.events.count) == [0, 0])
    }

    @Test("What a shared server says during a request that was routed by asking around is not shown to others")
    func fallbackIsPrivate() throws {
        let (a, b) = (ScriptedServer.tools("a", []), ScriptedServer.tools("b", []))
        let bench = GatewayBench([a, b])
        let (caller, other) = (try bench.session(), try bench.session())
        _ = try bench.request("logging/setLevel", #"{"level":"debug"}"#, in: other)
        let listening = try bench.listen(other)
        _ = try bench.request("vendor/x", in: caller)
        a.link.receive(log("error"))
        bench.settle()
        #expect(listening.events.isEmpty)
    }

    @Test("A server that announces changes faster than it answers is asked once more, not once for each")
    func listChangedFlood() throws {
        let server = ScriptedServer.tools("s", ["a"])
        let bench = GatewayBench([server])
        _ = try bench.session()
        let before = server.link.messages(of: .toolsList).count
        for _ in 0..<1000 { server.link.receive(changed) }
        server.set(.tools, #"{"name":"last"}"#)
        bench.settle()
        #expect(server.link.messages(of: .toolsList).count - before == 2)
        #expect(try bench.request("tools/list", in: try bench.session()).result == #"{"tools":[{"name":"s__last"}]}"#)
    }

    @Test("A list that its server says has changed is read again, and told to sessions also when it is the same again")
    func listChanged() throws {
        let server = ScriptedServer.tools("s", ["a"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        let listening = try bench.listen(session)
        server.link.receive(changed)
        bench.settle()
        #expect(listening.methods == ["notifications/tools/list_changed"])
        server.set(.tools, #"{"name":"a"},{"name":"b"}"#)
        server.link.receive(changed)
        bench.settle()
        // Once, however it was found out.
        #expect(listening.methods == ["notifications/tools/list_changed", "notifications/tools/list_changed"])
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"s__a"},{"name":"s__b"}]}"#)
    }

    @Test("A session on one server's endpoint hears of that server's lists only")
    func listChangedScope() throws {
        let (a, b) = (ScriptedServer.tools("a", []), ScriptedServer.tools("b", []))
        let bench = GatewayBench([a, b])
        let listening = [try bench.listen(try bench.session(server: "a")), try bench.listen(try bench.session(server: "b"))]
        a.set(.tools, #"{"name":"new"}"#)
        a.link.receive(changed)
        bench.settle()
        #expect(listening.map(\.events.count) == [1, 0])
    }

    @Test("Until the client listens, many changes of a list are one")
    func coalescing() throws {
        let server = ScriptedServer("s", capabilities: #"{"tools":{},"prompts":{}}"#)
        let bench = GatewayBench([server])
        let session = try bench.session()
        for round in 0..<5 {
            server.set(.tools, "{\"name\":\"t\(round)\"}")
            server.set(.prompts, "{\"name\":\"p\(round)\"}")
            server.link.receive(changed)
            server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#)
            bench.settle()
        }
        #expect(bench.stores.allStreams(of: session.id).isEmpty)
        let listening = try bench.listen(session)
        #expect(listening.methods.sorted() == ["notifications/prompts/list_changed", "notifications/tools/list_changed"])
        let again = try bench.listen(session)
        #expect(again.events.isEmpty)
    }

    @Test("A client whose initialize waited for a server is not told of that server's lists: it has read none before")
    func changesBeforeTheFirstAnswer() throws {
        let server = ScriptedServer("slow", lists: [.tools: #"{"name":"t"}"#], answersInitialize: false)
        let bench = GatewayBench([server])
        let created = NIOLockedValueBox<Session?>(nil)
        bench.gateway.createSession(try bench.message(GatewayBench.initialize()), server: nil) { result in
            created.withLockedValue { $0 = (try? result.get())?.session }
        }
        bench.settle()
        #expect(created.withLockedValue { $0 } == nil)
        server.link.eventLoop.execute { server.link.shakeHands(capabilities: server.capabilities) }
        bench.settle()
        let session = try #require(created.withLockedValue { $0 })
        let listening = try bench.listen(session)
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"slow__t"}]}"#)
        #expect(listening.methods.isEmpty)
        server.set(.tools, "")
        server.link.receive(changed)
        bench.settle()
        #expect(listening.methods == ["notifications/tools/list_changed"])
    }

    @Test("A transport without streams gets what waited, then everything")
    func unsolicitedSink() throws {
        let server = ScriptedServer.tools("s", [])
        let bench = GatewayBench([server])
        let session = try bench.session()
        server.set(.tools, #"{"name":"t"}"#)
        server.link.receive(changed)
        bench.settle()
        let sink = RecordingUnsolicited()
        session.setUnsolicitedSink(sink)
        #expect(sink.methods == ["notifications/tools/list_changed"])
        server.set(.tools, "")
        server.link.receive(changed)
        bench.settle()
        #expect(sink.methods.count == 2)
    }

    @Test("A crash of one server leaves its tools listed and the sessions alone")
    func crashKeepsCatalogue() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        server.link.crash()
        bench.settle()
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"s__t"}]}"#)
    }

    @Test("A reload starts new servers, stops those that are gone and tells sessions")
    func reload() throws {
        let (a, b) = (ScriptedServer.tools("a", ["t"]), ScriptedServer.tools("b", ["t"]))
        let bench = GatewayBench([a])
        let session = try bench.session()
        let listening = try bench.listen(session)
        bench.gateway.setUpstreams([a.definition, b.definition])
        bench.settle()
        #expect(a.factory.attempts == 1)
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"a__t"},{"name":"b__t"}]}"#)
        bench.gateway.setUpstreams([b.definition])
        bench.settle()
        #expect(a.link.isClosing)
        #expect(b.factory.attempts == 1)
        #expect(try bench.request("tools/list", in: session).result == #"{"tools":[{"name":"b__t"}]}"#)
        #expect(listening.methods == Array(repeating: "notifications/tools/list_changed", count: 2))
        #expect(try bench.request("tools/call", #"{"name":"a__t"}"#, in: session).errorCode == -32602)
        bench.gateway.setUpstreams([])
        bench.settle()
    }
}
