import MCPHTTPClient
import NIOCore
import Testing

@testable import StdioTransport

@Suite("Bridge session")
struct BridgeSessionTests {
    @Test("messages of both sides go through untouched")
    func passThrough() {
        var bridge = TestBridge()
        bridge.handshake()
        #expect(bridge.client(#"{"jsonrpc":"2.0", "id":"x","method":"tools/call","params":{"a":1.50}}"#).count == 1)
        #expect(
            bridge.gateway(#"{"jsonrpc":"2.0","method":"notifications/progress"}"#) == [
                .write(#"{"jsonrpc":"2.0","method":"notifications/progress"}"#)
            ])
        #expect(
            bridge.gateway(#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#) == [
                .write(#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#)
            ])
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":7,"result":{}}"#) == [.send(#"{"jsonrpc":"2.0","id":7,"result":{}}"#, token: nil)])
        #expect(
            bridge.gateway("{\"jsonrpc\":\"2.0\",\n\"id\":\"x\",\"result\":{}}") == [.write(#"{"jsonrpc":"2.0", "id":"x","result":{}}"#)])
        #expect(bridge.session.outstanding.isEmpty)
    }

    @Test("the handshake sets the revision, then opens the listening stream")
    func handshake() {
        var bridge = TestBridge()
        #expect(bridge.client(TestBridge.initialize) == [.send(TestBridge.initialize, token: 1)])
        #expect(
            bridge.gateway(TestBridge.initializeAnswer()) == [
                .write(TestBridge.initializeAnswer()), .initialized(revision: "2025-06-18", openListeningStream: false),
            ])
        #expect(
            bridge.client(TestBridge.initialized) == [
                .send(TestBridge.initialized, token: nil), .initialized(revision: "2025-06-18", openListeningStream: true),
            ])
    }

    @Test("what is no message is answered with an error; batches are taken apart")
    func badInput() {
        var bridge = TestBridge()
        #expect(bridge.client("{").first?.text.contains("-32700") == true)
        #expect(bridge.client("[]") == [])
        #expect(bridge.client(#"{"jsonrpc":"1.0","id":4,"method":"x"}"#).first?.text.contains(#""id":4"#) == true)
        let batch = bridge.client(#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":1,"method":"b"},1]"#)
        #expect(batch.count == 3)
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"b"}"#).first?.text.contains("already under way") == true)
    }

    @Test("a lost session is begun again once, its state restored, and the failed requests sent again")
    func reinitialization() throws {
        var bridge = TestBridge()
        bridge.handshake()
        bridge.succeed(#"{"jsonrpc":"2.0","id":10,"method":"logging/setLevel","params":{"level":"debug"}}"#, id: "10")
        bridge.succeed(#"{"jsonrpc":"2.0","id":11,"method":"logging/setLevel","params":{"level":"info"}}"#, id: "11")
        for (id, uri) in [(12, "a"), (13, "b"), (14, "c"), (15, "a")] {
            bridge.succeed(#"{"jsonrpc":"2.0","id":\#(id),"method":"resources/subscribe","params":{"uri":"\#(uri)"}}"#, id: "\(id)")
        }
        bridge.succeed(#"{"jsonrpc":"2.0","id":16,"method":"resources/unsubscribe","params":{"uri":"b"}}"#, id: "16")
        let one = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#))
        let two = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":2,"method":"tools/call"}"#))

        let begun = bridge.map { $0.sessionEnded() }
        let replay = try #require(begun.first { $0.isSend })
        #expect(begun.filter(\.isSend).count == 1)
        #expect(replay.text.contains(#""method":"initialize""#) && replay.text.contains(#""x":1"#) && !replay.text.contains(#""id":0"#))
        #expect(bridge.map { $0.sessionEnded() } == [], "the second report does nothing")
        #expect(bridge.fail(one, .sessionEnded) == [])
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#) == [], "new messages wait")
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":99,"result":{}}"#).allSatisfy { !$0.isSend }, "answers to the old session do not")

        let restoring = bridge.gateway(TestBridge.initializeAnswer(id: replay.id))
        #expect(!restoring.contains { $0.isWrite }, "the client does not see it")
        #expect(restoring[0] == .initialized(revision: "2025-06-18", openListeningStream: false))
        #expect(restoring[1] == .send(TestBridge.initialized, token: nil))
        #expect(restoring[2] == .initialized(revision: "2025-06-18", openListeningStream: true))
        let replays = restoring.filter { if case .send(_, _?) = $0 { true } else { false } }
        #expect(
            replays.map { $0.text.contains("info") || $0.text.contains(#""uri":"c""#) || $0.text.contains(#""uri":"a""#) } == [
                true, true, true,
            ])

        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":"\#(replays[0].id)","result":{}}"#) == [])
        #expect(
            bridge.gateway(#"{"jsonrpc":"2.0","id":"\#(replays[1].id)","error":{"code":-1,"message":"x"}}"#).allSatisfy {
                !$0.isSend && !$0.isWrite
            })
        let released = bridge.gateway(#"{"jsonrpc":"2.0","id":"\#(replays[2].id)","result":{}}"#)
        #expect(released.filter(\.isSend).map { $0.text.contains(#""id":1"#) || $0.text.contains(#""id":3"#) } == [true, true])
        #expect(bridge.session.phase == .open)

        // The second request of the old session fails late: it is sent again without a third session.
        let late = bridge.fail(two, .sessionEnded)
        #expect(late.count == 1 && late[0].isSend && late[0].text.contains(#""id":2"#))
        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":2,"result":{}}"#) == [.write(#"{"jsonrpc":"2.0","id":2,"result":{}}"#)])
    }

    @Test("a gateway that ends every session is not asked for ever")
    func resendsAreBounded() throws {
        var bridge = TestBridge()
        bridge.handshake()
        var token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#))
        for _ in 0..<2 {
            let replay = try #require(bridge.fail(token, .sessionEnded).first { $0.isSend })
            let released = bridge.gateway(TestBridge.initializeAnswer(id: replay.id))
            token = bridge.token(of: released.filter { $0.text.contains(#""method":"x""#) })
        }
        #expect(bridge.fail(token, .sessionEnded).first?.text.contains("keeps ending the session") == true)
    }

    @Test("a refused new session answers what waits, and the next request tries again")
    func refusedSession() throws {
        var bridge = TestBridge()
        bridge.handshake()
        let token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#))
        let replay = try #require(bridge.fail(token, .sessionEnded).first { $0.isSend })
        let actions = bridge.gateway(#"{"jsonrpc":"2.0","id":"\#(replay.id)","error":{"code":-1,"message":"full"}}"#)
        #expect(actions.filter(\.isWrite).map { $0.text.contains("full") && $0.text.contains(#""id":1"#) } == [true])
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":2,"method":"x"}"#).filter(\.isSend).count == 1)
    }

    @Test("while the gateway is away requests wait, with growing retries, and go in order when it is back")
    func waiting() {
        var bridge = TestBridge()
        bridge.handshake()
        var token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#))
        for attempt in 0..<3 {
            #expect(bridge.fail(token, .connectFailed(reason: "")).last == .scheduleRetry(attempt: attempt))
            if attempt == 0 { #expect(bridge.client(#"{"jsonrpc":"2.0","method":"n"}"#) == []) }
            let sent = bridge.map { $0.retry(now: .uptimeNanoseconds(1)) }
            #expect(sent.filter(\.isSend).count == (attempt == 0 ? 2 : 1))
            token = bridge.token(of: sent)
        }
        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":1,"result":{}}"#).count == 1)
        token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#))
        #expect(bridge.fail(token, .connectionLost(reason: "")).last == .scheduleRetry(attempt: 0), "an answer resets the attempts")
    }

    @Test("a request that waited too long is answered with what to do")
    func waitLimit() {
        var bridge = TestBridge()
        let token = bridge.token(of: bridge.client(TestBridge.initialize))
        _ = bridge.fail(token, .connectFailed(reason: "refused"))
        #expect(bridge.map { $0.tick(now: .uptimeNanoseconds(9_999_999_999)) } == [])
        let late = bridge.map { $0.tick(now: .uptimeNanoseconds(10_000_000_001)) }
        #expect(late.count == 1 && late[0].isWrite && late[0].text.contains("mcp-gateway serve") && late[0].text.contains(#""id":0"#))
        #expect(bridge.session.heldBytes == 0)
    }

    @Test("a lost tool call is not repeated, a lost list is")
    func repeatable() {
        var bridge = TestBridge()
        bridge.handshake()
        let call = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#))
        let list = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#))
        #expect(bridge.fail(call, .connectionLost(reason: "")).first?.text.contains("check before you repeat it") == true)
        #expect(bridge.fail(list, .connectionLost(reason: "")).contains { !$0.isWrite })
        #expect(bridge.session.held.count == 1)
    }

    @Test("a cancelled request that waits is dropped with its cancellation")
    func cancelWhileWaiting() {
        var bridge = TestBridge()
        bridge.handshake()
        let token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#))
        _ = bridge.fail(token, .connectFailed(reason: ""))
        #expect(bridge.client(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#) == [])
        #expect(bridge.session.held.isEmpty)
        _ = bridge.map { $0.retry(now: .uptimeNanoseconds(0)) }
        #expect(
            bridge.client(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#).filter(\.isSend).count == 1)
    }

    @Test("messages that wait are bounded in number and bytes")
    func heldBounds() {
        var bridge = TestBridge()
        bridge.handshake()
        let token = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#))
        _ = bridge.fail(token, .connectFailed(reason: ""))
        for id in 2...4 { #expect(bridge.client(#"{"jsonrpc":"2.0","id":\#(id),"method":"x"}"#) == []) }
        #expect(bridge.client(#"{"jsonrpc":"2.0","id":5,"method":"x"}"#).first?.text.contains("too many messages") == true)
        #expect(bridge.client(#"{"jsonrpc":"2.0","method":"n"}"#).allSatisfy { !$0.isSend && !$0.isWrite })
    }

    @Test("a gateway that goes away in the middle of restoring a session is begun with again")
    func awayWhileRestoring() throws {
        var bridge = TestBridge()
        bridge.handshake()
        bridge.succeed(#"{"jsonrpc":"2.0","id":10,"method":"logging/setLevel","params":{"level":"debug"}}"#, id: "10")
        let begun = bridge.map { $0.sessionEnded() }
        #expect(bridge.fail(bridge.token(of: begun), .connectFailed(reason: "")).last == .scheduleRetry(attempt: 0))
        let again = try #require(bridge.map { $0.retry(now: .uptimeNanoseconds(0)) }.first { $0.isSend })
        let restoring = bridge.gateway(TestBridge.initializeAnswer(id: again.id))
        #expect(bridge.fail(bridge.token(of: restoring), .connectionLost(reason: "")).last == .scheduleRetry(attempt: 0))
        let third = try #require(bridge.map { $0.retry(now: .uptimeNanoseconds(0)) }.first { $0.isSend })
        #expect(third.text.contains(#""method":"initialize""#))
    }

    @Test("a new initialize of the client forgets what the old session was told")
    func newHandshake() throws {
        var bridge = TestBridge()
        bridge.handshake()
        bridge.succeed(#"{"jsonrpc":"2.0","id":10,"method":"logging/setLevel","params":{"level":"debug"}}"#, id: "10")
        bridge.handshake()
        let replay = try #require(bridge.map { $0.sessionEnded() }.first { $0.isSend })
        #expect(!bridge.gateway(TestBridge.initializeAnswer(id: replay.id)).contains { $0.text.contains("setLevel") })
        #expect(bridge.session.phase == .open)
    }

    @Test("the end of the input waits for outstanding and waiting requests")
    func draining() {
        var bridge = TestBridge()
        bridge.handshake()
        let one = bridge.token(of: bridge.client(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#))
        _ = bridge.client(#"{"jsonrpc":"2.0","id":2,"method":"x"}"#)
        #expect(bridge.map { $0.inputEnded() } == [])
        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":2,"result":{}}"#).count == 1)
        #expect(bridge.fail(one, .http(status: 401, excerpt: "")).last == .finish)
        var idle = TestBridge()
        #expect(idle.map { $0.inputEnded() } == [.finish])
        #expect(idle.map { $0.tick(now: .uptimeNanoseconds(0)) } == [], "once")
    }
}
