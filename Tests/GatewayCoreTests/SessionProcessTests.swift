import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Processes of sessions")
struct SessionProcessTests {
    private let server = ScriptedServer.tools("own", ["t"], isolation: .session)

    private func makeBench(processes: Int, idleTimeout: TimeAmount = .hours(1)) -> GatewayBench {
        let bench = GatewayBench([server])
        var definition = server.definition
        definition = UpstreamDefinition(name: "own", isolation: .session, factory: server.factory, fingerprint: "limited")
        definition.era = .legacy
        definition.maxSessionProcesses = processes
        definition.idleTimeout = idleTimeout
        definition.callTimeout = .hours(1)
        bench.gateway.setUpstreams([definition])
        bench.settle()
        return bench
    }

    /// A call that the session's process does not answer yet.
    private func call(_ bench: GatewayBench, in session: Session) throws -> (sink: RecordingSink, link: ScriptedLink) {
        let sink = try bench.request("tools/call", #"{"name":"own__t"}"#, in: session)
        return (sink, server.link)
    }

    private func answer(_ bench: GatewayBench, _ link: ScriptedLink) throws {
        link.answer(try #require(link.messages(of: .toolsCall).last), result: #"{"content":[]}"#)
        bench.settle()
    }

    @Test("at the bound the process that was idle longest makes room, and its session's next call starts another")
    func evictsLongestIdle() throws {
        let bench = makeBench(processes: 2)
        let (first, second, third) = (try bench.session(), try bench.session(), try bench.session())
        var links: [ScriptedLink] = []
        for session in [first, second] {
            let (sink, link) = try call(bench, in: session)
            try answer(bench, link)
            #expect(sink.result != nil)
            links.append(link)
            bench.loop.advanceTime(by: .seconds(1))
        }
        // The first is used again: now the second one's last use is longest ago.
        _ = try call(bench, in: first)
        try answer(bench, links[0])
        bench.loop.advanceTime(by: .seconds(1))
        let hits = LimitHits.total(.maxSessionProcesses)
        let (sink, link) = try call(bench, in: third)
        #expect(LimitHits.total(.maxSessionProcesses) > hits)
        try answer(bench, link)
        #expect(sink.result != nil)
        #expect(links.map(\.isClosing) == [false, true])
        #expect(link !== links[0] && link !== links[1])
        // Its session does not notice.
        let (again, fresh) = try call(bench, in: second)
        try answer(bench, fresh)
        #expect(again.result != nil)
        #expect(fresh !== links[1])
        #expect(links[0].isClosing)
    }

    @Test("a call is refused with the limit's name only when no process is idle")
    func refusesWhenAllAreBusy() throws {
        let bench = makeBench(processes: 2)
        let (first, second, third) = (try bench.session(), try bench.session(), try bench.session())
        let (firstSink, firstLink) = try call(bench, in: first)
        _ = try call(bench, in: second)
        let refused = try bench.request("tools/call", #"{"name":"own__t"}"#, in: third)
        #expect(refused.errorCode == RPCError.Code.internalError.rawValue)
        #expect(refused.texts.last?.contains("limits.maxSessionProcesses") == true)
        try answer(bench, firstLink)
        #expect(firstSink.result != nil)
        let (sink, link) = try call(bench, in: third)
        try answer(bench, link)
        #expect(sink.result != nil)
        #expect(firstLink.isClosing)
    }

    @Test("a process that a subscription or a task needs makes no room")
    func keepsWhatIsNeeded() throws {
        let bench = makeBench(processes: 1)
        let (first, second) = (try bench.session(), try bench.session())
        let (_, link) = try call(bench, in: first)
        try answer(bench, link)
        first.rememberTask("task", upstream: "own")
        #expect(try bench.request("tools/call", #"{"name":"own__t"}"#, in: second).errorCode != nil)
        first.state.withLockedValue { $0.tasks.removeAll() }
        first.state.withLockedValue { $0.subscriptions["file:///a"] = "own" }
        #expect(try bench.request("tools/call", #"{"name":"own__t"}"#, in: second).errorCode != nil)
        #expect(!link.isClosing)
        first.state.withLockedValue { $0.subscriptions.removeAll() }
        let (_, fresh) = try call(bench, in: second)
        #expect(link.isClosing)
        #expect(fresh !== link)
    }

    @Test("a process that is not used for the idle time is stopped, one that works is not")
    func reapsIdle() throws {
        let bench = makeBench(processes: 5, idleTimeout: .seconds(10))
        let (first, second) = (try bench.session(), try bench.session())
        let (_, idle) = try call(bench, in: first)
        try answer(bench, idle)
        let (sink, busy) = try call(bench, in: second)
        bench.loop.advanceTime(by: .seconds(9))
        bench.settle()
        #expect(!idle.isClosing)
        bench.loop.advanceTime(by: .seconds(3))
        bench.settle()
        #expect(idle.isClosing)
        #expect(!busy.isClosing)
        try answer(bench, busy)
        #expect(sink.result != nil)
    }

    @Test("a session that has ended gets no process any more")
    func endedSession() throws {
        let bench = makeBench(processes: 1)
        let session = try bench.session()
        _ = session.end()
        let links = server.factory.links.count
        let sink = try bench.request("tools/call", #"{"name":"own__t"}"#, in: session)
        #expect(sink.errorCode == RPCError.Code.connectionClosed.rawValue)
        #expect(server.factory.links.count == links)
        let other = try bench.session()
        let (answered, link) = try call(bench, in: other)
        try answer(bench, link)
        #expect(answered.result != nil)
    }
}
