import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite struct UpstreamPeerRequestTests {
    private func text(_ buffer: ByteBuffer?) -> String? { buffer.map { String(buffer: $0) } }

    @Test("The handshake is initialize, then initialized, then what waited, in order")
    func handshake() throws {
        let bench = PeerBench()
        let first = try bench.call("\"a\"")
        let second = try bench.call("7")
        #expect(bench.link.messages.map(\.methodName) == [.initialize])
        #expect(text(bench.link.messages[0].json.slice(bench.link.messages[0].params))?.hasPrefix("{\"protocolVersion\"") == true)
        bench.link.shakeHands(version: "2025-06-18", capabilities: "{\"tools\":{\"listChanged\":true}}")
        #expect(bench.link.revision == .v2025_06_18)
        #expect(bench.link.messages.map(\.methodName) == [.initialize, .initialized, .toolsCall, .toolsCall])
        #expect(bench.link.messages.suffix(2).map { text($0.idBytes) } == [first.call, second.call].map { $0.map { "\($0)" } })
        #expect(bench.owner.ready.count == 1)
        #expect(bench.owner.ready[0].revision == .v2025_06_18)
        #expect(bench.owner.ready[0].has("tools", "listChanged"))
        #expect(!bench.owner.ready[0].has("prompts"))
        #expect(bench.isReady)
    }

    @Test("Two clients' equal ids become different ids of the peer's, and answers find their way in any order")
    func ids() throws {
        let bench = PeerBench()
        bench.makeReady()
        let calls = try (0..<20).map { _ in try bench.call("1") }
        let sent = bench.link.messages(of: .toolsCall)
        #expect(Set(bench.link.messages.compactMap { text($0.idBytes) }).count == 21)
        for (index, message) in sent.enumerated().reversed() { bench.link.answer(message, result: "{\"n\":\(index)}") }
        for (index, call) in calls.enumerated() {
            #expect(call.responses.map { $0.json.integer($0.json.member("n", of: $0.result)) } == [index])
            #expect(call.failures.isEmpty)
        }
    }

    @Test("An answer that comes twice, or to nothing that was asked, has no taker")
    func strayAnswers() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        let message = bench.link.messages(of: .toolsCall)[0]
        for id in ["999", "\"1\"", "\"x\"", "-1", "1.5"] {
            bench.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":1,\"message\":\"x\"}}")
        }
        #expect(!call.isOver)
        bench.link.answer(message, result: "{}")
        bench.link.answer(message, result: "{\"again\":1}")
        bench.link.shakeHands()
        #expect(call.responses.count == 1)
        #expect(bench.owner.ready.count == 1)
    }

    @Test("An answer whose id is in quotes is taken for its call")
    func quotedID() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        bench.link.receive(#"{"jsonrpc":"2.0","id":"2","result":{"ok":true}}"#)
        #expect(call.responses.count == 1)
    }

    @Test("An error without id is the answer when one request is open, and nobody's when there are several")
    func errorWithoutID() throws {
        let bench = PeerBench()
        bench.makeReady()
        let error = #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"cannot read this"}}"#
        let only = try bench.call()
        bench.link.receive(error)
        #expect(only.failures.map(\.code.rawValue) == [-32700])
        #expect(only.failures.first?.message.contains("cannot read this") == true)
        let several = [try bench.call("2"), try bench.call("3")]
        bench.link.receive(error)
        #expect(several.map(\.isOver) == [false, false])
        bench.link.receive(#"{"jsonrpc":"2.0","id":null,"result":{}}"#)
        #expect(several.map(\.isOver) == [false, false])
    }

    @Test("The request's other bytes are not touched, but line breaks become spaces")
    func bytes() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.request(
            "{\"params\":{\"b\":1e400,\"a\":12345678901234567890,\n\"s\":\"\\n\"},\"id\":\"x\",\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}"
        )
        let id = try #require(call.call)
        #expect(
            bench.link.texts.last
                == "{\"params\":{\"b\":1e400,\"a\":12345678901234567890, \"s\":\"\\n\"},\"id\":\(id),\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}"
        )
    }

    @Test("Progress is mapped by the peer's own token; unknown tokens are dropped")
    func progress() throws {
        let bench = PeerBench()
        bench.makeReady()
        let first = try bench.call("1", token: "\"same\"")
        let second = try bench.call("2", token: "\"same\"")
        let message = bench.link.messages(of: .toolsCall)[1]
        #expect(text(message.json.slice(message.json.member("progressToken", of: message.param("_meta")))) == second.call.map { "\($0)" })
        let id = try #require(second.call)
        bench.link.receive(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(id),\"progress\":1}}")
        bench.link.receive(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":12345,\"progress\":1}}")
        #expect(first.progress.isEmpty)
        #expect(second.progress.count == 1)
        #expect(bench.owner.notifications.isEmpty)
    }

    @Test("A silent upstream's request times out, and the upstream is told")
    func timeout() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call("1", timeout: .nanoseconds(1))
        bench.loop.advanceTime(by: .milliseconds(500))
        #expect(call.failures.map(\.code) == [.requestTimeout])
        #expect(call.failures.first?.message.contains("\"srv\"") == true)
        let cancelled = try #require(bench.link.messages(of: .cancelled).first)
        #expect(cancelled.json.unsigned(cancelled.param("requestId")) == call.call)
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(call.responses.isEmpty)
    }

    @Test("Progress gives a request its whole time again")
    func deadlineExtension() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call("1", token: "1")
        let id = try #require(call.call)
        bench.peer.core.value.calls[id]?.deadline = .uptimeNanoseconds(0)
        bench.link.receive(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(id),\"progress\":1}}")
        bench.loop.advanceTime(by: .seconds(1))
        #expect(!call.isOver)
        bench.peer.core.value.calls[id]?.deadline = .uptimeNanoseconds(0)
        bench.loop.advanceTime(by: .seconds(1))
        #expect(call.failures.map(\.code) == [.requestTimeout])
    }

    @Test("A request that waits for the start times out without a word to the upstream")
    func timeoutWhileWaiting() throws {
        let bench = PeerBench()
        let call = try bench.call("1", timeout: .nanoseconds(1))
        bench.loop.advanceTime(by: .milliseconds(500))
        #expect(call.failures.map(\.code) == [.requestTimeout])
        bench.link.shakeHands()
        #expect(bench.link.messages.map(\.methodName) == [.initialize, .initialized])
    }

    @Test("While the server waits for its client, no request of it times out")
    func inputSuspendsTimeout() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call("1")
        let id = try #require(call.call)
        bench.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"sampling/createMessage\",\"params\":{}}")
        #expect(bench.owner.requests.count == 1)
        bench.peer.core.value.calls[id]?.deadline = .uptimeNanoseconds(0)
        bench.loop.advanceTime(by: .seconds(5))
        #expect(!call.isOver)
        bench.peer.respond(
            MessageWriter.response(id: ByteBuffer(string: "\"q\""), result: ByteBuffer(string: "{}")), to: ByteBuffer(string: "\"q\""))
        bench.loop.advanceTime(by: .seconds(5))
        #expect(!call.isOver)
        #expect(bench.link.texts.last == "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{}}")
        bench.peer.core.value.calls[id]?.deadline = .uptimeNanoseconds(0)
        bench.loop.advanceTime(by: .seconds(1))
        #expect(call.failures.count == 1)
    }

    @Test("Cancelling in flight tells the upstream, with the reason, and the handler hears no more")
    func cancelInFlight() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        let id = try #require(call.call)
        bench.peer.cancel(call: id, reason: .jsonString("enough"))
        #expect(
            bench.link.texts.last
                == "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\(id),\"reason\":\"enough\"}}")
        bench.peer.cancel(call: id, reason: nil)
        #expect(bench.link.messages(of: .cancelled).count == 1)
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        bench.link.crash()
        #expect(!call.isOver)
    }

    @Test("What is sent to cancel is one line, whatever the client gave as a reason")
    func cancelReasonIsOneLine() throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        bench.peer.cancel(
            call: try #require(call.call), reason: ByteBuffer(string: "[\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}\n]"))
        #expect(bench.link.texts.last?.contains("\n") == false)
    }

    @Test("Cancelling what waits for the start takes it back silently")
    func cancelWaiting() throws {
        let bench = PeerBench()
        let first = try bench.call("1")
        let second = try bench.call("2")
        bench.peer.cancel(call: try #require(first.call), reason: nil)
        bench.link.shakeHands()
        #expect(bench.link.messages(of: .toolsCall).map { $0.json.unsigned($0.id) } == [second.call])
        #expect(bench.link.messages(of: .cancelled).isEmpty)
    }

    @Test("More requests than the bound are refused at once")
    func bound() throws {
        let bench = PeerBench(maxInFlight: 2)
        bench.makeReady()
        let calls = try (0..<3).map { _ in try bench.call() }
        #expect(calls.map { $0.failures.map(\.code) } == [[], [], [.internalError]])
        bench.link.answer(bench.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(try !bench.call().isOver)
    }

    @Test("A request that the link's queue does not take fails at once")
    func fullQueue() throws {
        let bench = PeerBench()
        bench.makeReady()
        bench.link.accepts = false
        #expect(try bench.call().failures.map(\.code) == [.internalError])
        bench.link.accepts = true
        #expect(try !bench.call().isOver)
    }

    @Test("A ping of the server's is answered with its own id")
    func ping() {
        let bench = PeerBench()
        bench.makeReady()
        bench.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\"p\\u0031\",\"method\":\"ping\"}")
        #expect(bench.link.texts.last == "{\"jsonrpc\":\"2.0\",\"id\":\"p\\u0031\",\"result\":{}}")
        #expect(bench.owner.requests.isEmpty)
    }

    @Test("A broken answer to a request fails it at once", arguments: ["", ",\"result\":{},\"error\":{}", ",\"result\":\"text\""])
    func brokenAnswer(members: String) throws {
        let bench = PeerBench()
        bench.makeReady()
        let call = try bench.call()
        bench.link.receive("{\"jsonrpc\":\"2.0\",\"id\":\(try #require(call.call))\(members)}")
        #expect(call.failures.map(\.code) == [.internalError])
        #expect(call.responses.isEmpty)
    }

    @Test("Garbage is ignored and a batch is taken apart")
    func garbage() throws {
        let bench = PeerBench()
        bench.makeReady()
        let calls = [try bench.call("1"), try bench.call("2")]
        for line in ["", "hello", "{", "[1,", "42", "{}", "null", "[]", "[1]", "{\"jsonrpc\":\"1.0\",\"id\":999,\"result\":{}}", "\u{0}"] {
            bench.link.receive(line)
        }
        #expect(bench.isReady)
        let ids = calls.compactMap(\.call)
        bench.link.receive(
            "[{\"jsonrpc\":\"2.0\",\"id\":\(ids[1]),\"result\":{}},5,{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}},{\"jsonrpc\":\"2.0\",\"id\":\(ids[0]),\"result\":{}}]"
        )
        #expect(calls.map(\.responses.count) == [1, 1])
        #expect(bench.owner.notifications.map(\.methodName) == [.loggingMessage])
    }

    @Test("The gateway's own request fails with the server's error")
    func ownRequest() throws {
        let bench = PeerBench()
        bench.makeReady()
        let good = bench.peer.request(method: "tools/list", params: nil)
        let bad = bench.peer.request(method: "tools/list", params: nil)
        let sent = bench.link.messages(of: .toolsList)
        bench.link.answer(sent[0], result: "{\"tools\":[]}")
        bench.link.answer(sent[1], code: -32601, error: "no")
        #expect(try bench.outcome(good)?.get().kind == .response)
        #expect(throws: RPCError(code: .methodNotFound, message: "no")) { try bench.outcome(bad)?.get() }
    }
}
