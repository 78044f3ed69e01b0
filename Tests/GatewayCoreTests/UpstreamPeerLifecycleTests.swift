import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite struct UpstreamPeerLifecycleTests {
    @Test("A link that closes fails what was sent and keeps what waits")
    func crashKeepsWaiting() throws {
        let bench = PeerBench()
        bench.makeReady()
        let sent = try bench.call("1")
        bench.link.crash("exit 3")
        #expect(sent.failures.map(\.code) == [.connectionClosed])
        #expect(sent.failures[0].message.contains("exit 3"))
        #expect(bench.owner.downs.map(\.willRestart) == [false])
        let waiting = try bench.call("2")
        #expect(!waiting.isOver)
        bench.loop.advanceTime(by: .milliseconds(100))
        #expect(bench.factory.links.count == 2)
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).map { $0.json.unsigned($0.id) } == [waiting.call])
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(waiting.responses.count == 1)
    }

    @Test("A crash during the handshake fails what waits with the reason; the next request starts the server again")
    func crashInHandshake() throws {
        let bench = PeerBench()
        let call = try bench.call()
        bench.link.crash("no module named x")
        #expect(call.failures.map(\.code) == [.connectionClosed])
        #expect(call.failures.first?.message.contains("no module named x") == true)
        #expect(bench.owner.downs.map(\.willRestart) == [false])
        bench.loop.advanceTime(by: .milliseconds(100))
        let next = try bench.call("2")
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).map { $0.json.unsigned($0.id) } == [next.call])
    }

    @Test("Without anything to do, a peer that does not restart by itself stays down until the next request")
    func restOnDemand() throws {
        let bench = PeerBench(restartsByItself: false)
        bench.makeReady()
        bench.link.crash()
        bench.loop.advanceTime(by: .seconds(10))
        #expect(bench.isIdle)
        #expect(bench.factory.attempts == 1)
        _ = try bench.call()
        #expect(bench.factory.attempts == 2)
    }

    @Test("A peer that restarts by itself does so after the delay, with nobody waiting")
    func restartsByItself() {
        let bench = PeerBench(restartsByItself: true)
        bench.makeReady()
        bench.link.crash()
        #expect(bench.isWaiting)
        #expect(bench.owner.downs.map(\.willRestart) == [true])
        #expect(bench.factory.attempts == 1)
        bench.loop.advanceTime(by: .milliseconds(100))
        #expect(bench.factory.attempts == 2)
        bench.link.shakeHands()
        #expect(bench.owner.ready.count == 2)
        #expect(bench.isReady)
    }

    @Test("A link that cannot be made counts as a crash")
    func connectFails() throws {
        let bench = PeerBench()
        bench.factory.failure = "no such file: srv"
        let call = try bench.call()
        #expect(bench.owner.downs.map(\.reason) == ["no such file: srv"])
        #expect(call.failures.first?.message.contains("no such file: srv") == true)
        bench.factory.failure = nil
        bench.loop.advanceTime(by: .milliseconds(100))
        _ = try bench.call("2")
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).count == 1)
    }

    @Test("A server that does not answer initialize in time is closed and started again")
    func handshakeTimeout() throws {
        let bench = PeerBench(restartsByItself: true, handshakeTimeout: .seconds(5))
        _ = try bench.call()
        let first = bench.link
        bench.loop.advanceTime(by: .seconds(4))
        #expect(bench.factory.attempts == 1)
        bench.loop.advanceTime(by: .milliseconds(1000))
        #expect(first.isClosing)
        #expect(bench.owner.downs.first?.reason.contains("5.0 s") == true)
        bench.loop.advanceTime(by: .milliseconds(100))
        #expect(bench.factory.attempts == 2)
        // What the first link says now is of no interest, and its time-out neither.
        first.shakeHands()
        #expect(!bench.isReady)
        bench.link.shakeHands()
        bench.loop.advanceTime(by: .seconds(60))
        #expect(bench.isReady)
    }

    @Test("A link that comes after its handshake time is closed and not used")
    func lateLink() throws {
        let bench = PeerBench(restartsByItself: true, handshakeTimeout: .seconds(5))
        bench.factory.isHeld = true
        _ = try bench.call()
        bench.loop.advanceTime(by: .seconds(5))
        bench.factory.isHeld = false
        bench.factory.release()
        #expect(bench.factory.links.map(\.isClosing) == [true])
        bench.loop.advanceTime(by: .seconds(1))
        #expect(bench.factory.links.map(\.isClosing) == [true, false])
        bench.link.shakeHands()
        #expect(bench.isReady)
    }

    @Test("Protocol versions that the gateway does not know are refused", arguments: ["2099-01-01", "", "1.0"])
    func unknownVersion(_ version: String) throws {
        let bench = PeerBench()
        bench.peer.start()
        bench.link.shakeHands(version: version)
        #expect(bench.link.isClosing)
        #expect(bench.owner.ready.isEmpty)
        #expect(bench.owner.downs.first?.reason.contains("\"\(version)\"") == true)
        #expect(bench.link.messages.map(\.methodName) == [.initialize])
    }

    @Test("A server that refuses initialize, or answers without a version, is closed")
    func refusedHandshake() {
        let refusing = PeerBench()
        refusing.peer.start()
        refusing.link.answer(refusing.link.messages[0], code: -32000, error: "go away")
        #expect(refusing.link.isClosing)
        #expect(refusing.owner.downs.first?.reason.contains("go away") == true)
        for result in ["{}", "null", "[]", "{\"protocolVersion\":5}"] {
            let bench = PeerBench()
            bench.peer.start()
            bench.link.answer(bench.link.messages[0], result: result)
            #expect(bench.link.isClosing, "\(result)")
            #expect(bench.owner.downs.count == 1)
        }
    }

    @Test("After too many crashes requests fail at once; when the pause is over the next one starts the server")
    func givesUp() throws {
        let bench = PeerBench(
            backoff: .init(initialDelay: .milliseconds(100), maximumDelay: .seconds(1), maximumRestarts: 2, window: .minutes(5)))
        for _ in 0..<2 {
            _ = try bench.call()
            bench.link.crash()
            bench.loop.advanceTime(by: .seconds(1))
        }
        let call = try bench.call()
        #expect(!call.isOver)
        bench.link.crash("last words")
        #expect(bench.isGivenUp)
        #expect(call.failures.map(\.code) == [.connectionClosed])
        #expect(call.failures.first?.message.contains("last words") == true)
        #expect(try bench.call().isOver)
        #expect(bench.factory.attempts == 3)
        bench.loop.advanceTime(by: .minutes(6))
        #expect(bench.isIdle)
        let late = try bench.call()
        #expect(bench.factory.attempts == 4)
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).map { $0.json.unsigned($0.id) } == [late.call])
    }

    @Test("A peer that restarts by itself tries again when the pause is over")
    func givesUpAndReturns() {
        let bench = PeerBench(
            restartsByItself: true,
            backoff: .init(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1), maximumRestarts: 1, window: .minutes(5)))
        bench.peer.start()
        bench.link.crash()
        bench.loop.advanceTime(by: .milliseconds(1))
        bench.link.crash()
        #expect(bench.isGivenUp)
        // Not as far as the handshake's time-out: the peer's own clock does not move with the loop's.
        bench.loop.advanceTime(by: .minutes(5) + .seconds(10))
        #expect(bench.factory.attempts == 3)
    }

    @Test("A session that ended is begun anew, and the request sent again, once")
    func sessionEnded() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        let id = try #require(call.call)
        let first = bench.link
        first.delegate.link(first, failed: id, with: .sessionEnded)
        #expect(!call.isOver)
        first.closed(LinkClosure(description: "404", mayReconnectAtOnce: true))
        #expect(bench.factory.attempts == 2)
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).map { $0.json.unsigned($0.id) } == [id])
        let second = bench.link
        second.delegate.link(second, failed: id, with: .sessionEnded)
        #expect(call.failures.map(\.code) == [.connectionClosed])
        #expect(call.responses.isEmpty)
    }

    @Test("One request that fails leaves the others alone")
    func oneFailure() throws {
        let bench = PeerBench()
        bench.makeReady()
        let first = try bench.call("1")
        let second = try bench.call("2")
        bench.link.delegate.link(bench.link, failed: try #require(first.call), with: .failed(.upstreamFailed, "HTTP 500"))
        #expect(first.failures.first?.message.contains("HTTP 500") == true)
        #expect(!second.isOver)
        #expect(bench.isReady)
    }

    @Test("A request in flight is answered when its link goes away to reconnect at once")
    func inFlightAtReconnect() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        bench.link.closed(LinkClosure(description: "gone", mayReconnectAtOnce: true))
        bench.link.shakeHands()
        #expect(call.isOver || !bench.link.messages(of: .toolsCall).isEmpty)
    }

    // MARK: Stop

    @Test("Stopping before any start is done at once, and requests are refused from then on")
    func stopIdle() throws {
        let bench = PeerBench()
        #expect(bench.stop())
        #expect(try bench.call().failures.map(\.code) == [.connectionClosed])
        bench.peer.start()
        #expect(bench.factory.attempts == 0)
        #expect(bench.stop())
    }

    @Test("Stopping while the link is being made ends with that link, or with its failure", arguments: [true, false])
    func stopConnecting(_ succeeds: Bool) throws {
        let bench = PeerBench()
        bench.factory.isHeld = true
        let call = try bench.call()
        var isStopped = false
        bench.peer.stop().assumeIsolated().whenSuccess { isStopped = true }
        #expect(call.failures.count == 1)
        #expect(!isStopped)
        if !succeeds { bench.factory.failure = "no" }
        bench.factory.release()
        bench.loop.run()
        #expect(isStopped)
        #expect(bench.isStopped)
        #expect(bench.factory.links.allSatisfy { $0.isClosing })
    }

    @Test("Stopping during the handshake closes the link")
    func stopInHandshake() throws {
        let bench = PeerBench()
        let call = try bench.call()
        #expect(bench.stop())
        #expect(call.failures.count == 1)
        #expect(bench.link.isClosing)
        bench.link.shakeHands()
        bench.loop.advanceTime(by: .minutes(10))
        #expect(bench.isStopped)
        #expect(bench.factory.attempts == 1)
    }

    @Test("Stopping a ready peer fails its requests and waits for the link to close")
    func stopReady() throws {
        let bench = PeerBench()
        bench.factory.closesAtOnce = false
        bench.makeReady()
        let call = try bench.call()
        var stopped = 0
        bench.peer.stop().assumeIsolated().whenSuccess { stopped += 1 }
        bench.peer.stop().assumeIsolated().whenSuccess { stopped += 1 }
        #expect(call.failures.count == 1)
        #expect(bench.link.isClosing)
        #expect(stopped == 0)
        #expect(try bench.call().failures.count == 1)
        bench.link.closed(LinkClosure(description: "done", isOrderly: true))
        #expect(stopped == 2)
        #expect(bench.isStopped)
        #expect(bench.owner.downs.isEmpty)
    }

    @Test("Stopping between a crash and the restart calls the restart off")
    func stopWaiting() throws {
        let bench = PeerBench(restartsByItself: true)
        bench.makeReady()
        bench.link.crash()
        let call = try bench.call()
        #expect(bench.stop())
        #expect(call.failures.count == 1)
        bench.loop.advanceTime(by: .minutes(10))
        #expect(bench.factory.attempts == 1)
    }

    @Test("Stopping after giving up is final")
    func stopGivenUp() throws {
        let bench = PeerBench(
            restartsByItself: true,
            backoff: .init(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(1), maximumRestarts: 1, window: .minutes(5)))
        bench.peer.start()
        bench.link.crash()
        bench.loop.advanceTime(by: .milliseconds(1))
        bench.link.crash()
        #expect(bench.stop())
        bench.loop.advanceTime(by: .minutes(10))
        #expect(bench.factory.attempts == 2)
    }

    // MARK: Idle

    @Test("An idle server is stopped and the next request starts it again; a busy one is not")
    func idleStop() throws {
        let bench = PeerBench(restartsByItself: true)
        bench.makeReady()
        let call = try bench.call()
        #expect(!bench.stopsWhenIdle)
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(call.isOver)
        #expect(try bench.outcome(bench.peer.stopIfIdle(for: .hours(1)))?.get() == false)
        #expect(bench.stopsWhenIdle)
        #expect(bench.isIdle)
        bench.loop.advanceTime(by: .minutes(1))
        #expect(bench.factory.attempts == 1)
        _ = try bench.call()
        #expect(bench.factory.attempts == 2)
    }

    @Test("A request that comes while an idle server is being stopped is answered by the next start")
    func requestDuringIdleStop() throws {
        let bench = PeerBench()
        bench.factory.closesAtOnce = false
        bench.makeReady()
        #expect(bench.stopsWhenIdle)
        let call = try bench.call()
        #expect(!call.isOver)
        bench.link.closed(LinkClosure(description: "idle", isOrderly: true))
    }

    @Test("A server that takes its question back no longer suspends time-outs")
    func inputTakenBack() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        bench.link.receive("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}")
        bench.link.receive("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}")
        bench.peer.core.value.calls[try #require(call.call)]?.deadline = .uptimeNanoseconds(0)
        bench.loop.advanceTime(by: .seconds(1))
        #expect(call.failures.count == 1)
    }
}
