import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Why exchanges fail")
struct ExchangeFailureTests {
    private typealias Cause = ExchangeFailure.Cause

    private func call(_ bench: GatewayBench, _ name: String = "s__t", in session: Session? = nil) throws -> RecordingSink {
        try bench.request("tools/call", "{\"name\":\"\(name)\"}", in: try session ?? bench.session())
    }

    private func cause(_ sink: RecordingSink) -> Cause? { sink.events.last?.failureCause }

    @Test("a tool that no server has is unknown, and params without a name are wrong")
    func unknownTool() throws {
        let bench = GatewayBench([.tools("s", ["t", "hidden"], filter: ToolFilter(allow: nil, deny: ["hidden"]))])
        for name in ["nothing", "nobody__t", "s__hidden"] { #expect(try cause(call(bench, name)) == .unknownTool, "\(name)") }
        #expect(try cause(bench.request("tools/call", "{}", in: bench.session())) == .invalidParams)
        #expect(try cause(bench.request("prompts/get", #"{"name":"p"}"#, in: bench.session())) == .unknownPrompt)
        #expect(try cause(bench.request("tasks/get", #"{"taskId":"x"}"#, in: bench.session())) == .unknownTask)
    }

    @Test(
        "a server's error keeps its bytes and its code; params refused for a tool that it does not list mean that the tool is unknown",
        arguments: [
            ("t", -32602, Cause.answered(code: -32602)), ("x", -32602, .unknownTool), ("x", -32601, .unknownTool),
            ("x", 7, .answered(code: 7)),
        ])
    private func answered(tool: String, code: Int, expected: Cause) throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let sink = try call(bench, "s__\(tool)")
        let id = try #require(server.link.messages(of: .toolsCall)[0].idBytes)
        server.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\(String(buffer: id)),\"error\":{ \"code\":\(code),\"message\":\"m\"}}")
        #expect(sink.texts == ["{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{ \"code\":\(code),\"message\":\"m\"}}"])
        #expect(cause(sink) == expected)
    }

    @Test("an answer that is none, an end without an answer and a way that broke are told apart")
    func upstreams() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let broken = try call(bench)
        let id = try #require(server.link.messages(of: .toolsCall)[0].idBytes)
        server.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\(String(buffer: id))}")
        #expect(cause(broken) == .upstreamBroken)
        #expect(broken.errorCode == -32603)
        let failed = try call(bench)
        server.link.closed(LinkClosure(description: "exit 3"))
        #expect(cause(failed) == .upstreamFailed)
        #expect(failed.errorCode == -32000)
    }

    @Test("silence, a full queue and too many requests in flight have causes of their own")
    func peer() throws {
        let bench = PeerBench(maxInFlight: 1)
        bench.makeReady()
        bench.link.accepts = false
        #expect(try bench.call().causes == [.limit(.maxQueuedInputBytes, retryAfter: 1)])
        bench.link.accepts = true
        let silent = try bench.call(timeout: .seconds(1))
        let refused = try bench.call()
        #expect(refused.causes == [.limit(.maxInFlightPerUpstream, retryAfter: 1)])
        #expect(refused.failures[0].message.contains("limits.maxInFlightPerUpstream"))
        bench.loop.advanceTime(by: .seconds(2))
        #expect(silent.causes == [.upstreamTimeout])
        #expect(bench.stop())
        #expect(try bench.call().causes == [.upstreamUnavailable])
    }

    @Test("a session with too many requests, a cancellation and a shutdown have causes of their own")
    func gateway() throws {
        let bench = GatewayBench([.tools("s", ["t"])]) { $0.maxConcurrentPerSession = 1 }
        let session = try bench.session()
        let open = try call(bench, in: session)
        let hits = LimitHits.total(.maxConcurrentPerSession)
        #expect(try cause(call(bench, in: session)) == .limit(.maxConcurrentPerSession, retryAfter: 1))
        #expect(LimitHits.total(.maxConcurrentPerSession) > hits)
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#, in: session)
        #expect(cause(open) == .cancelled)
        let abandoned = try call(bench, in: session)
        bench.gateway.abandonExchanges()
        #expect(cause(abandoned) == .draining)
        #expect(abandoned.errorCode == -32603)
    }
}
