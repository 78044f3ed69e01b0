import MCPProtocol
import Metrics
import MetricsTestKit
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Metrics of upstreams")
struct UpstreamMetricsTests {
    let metrics = TestMetrics()

    private func makeBench() -> PeerBench { withMetricsFactory(metrics) { PeerBench() } }

    @Test("the time from sending a call to its response is recorded in nanoseconds, under the upstream's name")
    func duration() throws {
        let bench = makeBench()
        bench.makeReady()
        let call = try bench.call()
        bench.loop.advanceTime(by: .milliseconds(1500))
        bench.link.answer(bench.link.messages[2], result: "{}")
        #expect(call.responses.count == 1)
        let timer = try metrics.expectTimer("mcp_upstream_duration_seconds", [("upstream", "srv")])
        #expect(timer.values == [1_500_000_000])
    }

    @Test("what waited for a start is timed from when it was sent")
    func durationOfWaitingCall() throws {
        let bench = makeBench()
        _ = try bench.call()
        bench.loop.advanceTime(by: .seconds(5))
        bench.link.shakeHands()
        bench.loop.advanceTime(by: .seconds(1))
        bench.link.answer(bench.link.messages[2], result: "{}")
        let timer = try metrics.expectTimer("mcp_upstream_duration_seconds", [("upstream", "srv")])
        #expect(timer.values == [1_000_000_000])
    }

    @Test("a call is in flight until it is answered, cancelled or fails")
    func inFlight() throws {
        let bench = makeBench()
        let first = try bench.call()
        let second = try bench.call("2")
        #expect(bench.peer.metrics.inFlight == 2)
        bench.link.shakeHands()
        bench.peer.cancel(call: try #require(first.call), reason: nil)
        #expect(bench.peer.metrics.inFlight == 1)
        bench.link.answer(bench.link.messages[3], result: "{}")
        #expect(second.isOver)
        #expect(bench.peer.metrics.inFlight == 0)
        _ = try bench.call("3")
        bench.link.crash()
        #expect(bench.peer.metrics.inFlight == 0)
    }

    @Test("every start after the first is a restart, whatever led to it")
    func restarts() throws {
        let bench = makeBench()
        bench.makeReady()
        let restarts = try metrics.expectCounter("mcp_upstream_restarts_total", [("upstream", "srv")])
        #expect(restarts.totalValue == 0)
        #expect(bench.stopsWhenIdle)
        bench.makeReady()
        #expect(restarts.totalValue == 1)
        bench.link.crash()
        _ = try bench.call()
        bench.loop.advanceTime(by: .seconds(2))
        #expect(restarts.totalValue == 2)
    }

    @Test("limits are counted under their configuration keys")
    func limits() {
        let before = LimitHits.total(.maxNestingDepth)
        LimitHits.count(.maxNestingDepth, by: 3)
        #expect(LimitHits.total(.maxNestingDepth) >= before + 3)
        #expect(LimitKey.maxQueuedInputBytes.rawValue == "limits.maxQueuedInputBytes")
    }

    @Test("a change of required alone is taken over without a new start")
    func required() throws {
        let server = ScriptedServer.tools("a", ["t"])
        let bench = GatewayBench([server])
        var definition = server.definition
        #expect(bench.gateway.upstreamFigures.map(\.required) == [false])
        definition.required = true
        bench.gateway.setUpstreams([definition])
        bench.settle()
        #expect(bench.gateway.upstreamFigures.map(\.required) == [true])
        #expect(server.factory.attempts == 1)
    }
}
