import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite struct GatewaySessionTests {
    private func initialize(_ params: String) -> String { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":\(params)}" }

    @Test(
        "An initialize that lacks what the specification requires is refused",
        arguments: [
            "{}", #"{"capabilities":{},"clientInfo":{"name":"c"}}"#, #"{"protocolVersion":1,"capabilities":{},"clientInfo":{"name":"c"}}"#,
            #"{"protocolVersion":"2025-11-25","clientInfo":{"name":"c"}}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":[],"clientInfo":{"name":"c"}}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":{}}"#, #"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":"c"}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":1}}"#,
        ])
    func invalidInitialize(_ params: String) throws {
        let bench = GatewayBench()
        guard case .failure(.invalid(let error)) = try bench.create(initialize(params)) else {
            Issue.record("accepted")
            return
        }
        #expect(error.code == .invalidParams)
        #expect(bench.gateway.sessionsInMemory == 0)
    }

    @Test(
        "The revision asked for is agreed on if it is known, else the newest is offered",
        arguments: [
            ("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"),
            ("2099-01-01", "2025-11-25"), ("", "2025-11-25"),
        ])
    func negotiation(_ requested: String, _ agreed: String) throws {
        let bench = GatewayBench()
        let (session, response) = try bench.create(GatewayBench.initialize(version: requested)).get()
        #expect(session.revision.rawValue == agreed)
        let message = try Message.parse(response)
        #expect(message.idBytes.map { String(buffer: $0) } == "\"init\"")
        #expect(message.json.string(message.json.member("protocolVersion", of: message.result)) == agreed)
        #expect(message.json.isObject(message.json.member("serverInfo", of: message.result)))
    }

    @Test("A session is handed over when the store has it, with the client's params as they came")
    func durable() throws {
        let bench = GatewayBench()
        let session = try bench.create(GatewayBench.initialize(extra: ",\"x\":1e400")).get().session
        let record = try #require(bench.stores.record(session.id))
        #expect(record.clientID == "client")
        #expect(String(buffer: record.initializeParams).hasSuffix(",\"x\":1e400}"))
        bench.stores.failure = "disk full"
        guard case .failure(.unavailable) = try bench.create(GatewayBench.initialize()) else {
            Issue.record("a session that the store does not have was handed over")
            return
        }
        #expect(bench.gateway.sessionsInMemory == 1)
        bench.stores.failure = nil
    }

    @Test("A client has no more sessions than it may, a deleted one makes room, and other clients are not concerned")
    func sessionsOfOneClient() throws {
        let bench = GatewayBench { $0.maxSessionsPerClient = 1 }
        let hits = LimitHits.total(.maxSessionsPerClient)
        let session = try bench.session()
        guard case .failure(.tooMany(.maxSessionsPerClient, let error)) = try bench.create(GatewayBench.initialize()) else {
            Issue.record("one session too many")
            return
        }
        #expect(error.message.contains("sessions.maxSessionsPerClient"))
        #expect(LimitHits.total(.maxSessionsPerClient) > hits)
        _ = try bench.create(GatewayBench.initialize(name: "other")).get()
        bench.gateway.endSession(session) { _ in }
        bench.settle()
        _ = try bench.session()
    }

    @Test("An expired session makes room at once, whichever limit is reached, and one that was used since does not")
    func expiredSessionsDoNotCount() throws {
        for isPerClient in [false, true] {
            let bench = GatewayBench {
                if isPerClient { $0.maxSessionsPerClient = 2 } else { $0.maxSessions = 2 }
                $0.sessionTTL = .seconds(100)
            }
            let (unused, used) = (try bench.session(), try bench.session())
            bench.advance(.seconds(60))
            // Known to the memory alone so far.
            #expect(try bench.find(used.id) === used)
            bench.advance(.seconds(60))
            let fresh = try bench.session()
            #expect(bench.stores.record(unused.id) == nil)
            #expect(unused.state.withLockedValue { $0.isEnded })
            #expect(bench.stores.record(used.id) != nil)
            #expect(bench.gateway.sessionsInMemory == 2)
            let hits = LimitHits.total(isPerClient ? .maxSessionsPerClient : .maxSessions)
            guard case .failure(.tooMany) = try bench.create(GatewayBench.initialize()) else {
                Issue.record("a session that lives was taken for an expired one")
                return
            }
            #expect(LimitHits.total(isPerClient ? .maxSessionsPerClient : .maxSessions) > hits)
            #expect(try bench.find(used.id) === used)
            #expect(try bench.find(fresh.id) === fresh)
        }
    }

    @Test("A session that had to wait for room is one request of its client's")
    func roomCostsNoRequests() throws {
        let bench = GatewayBench {
            $0.maxSessions = 1
            $0.sessionTTL = .seconds(100)
            $0.requestRatePerClient = 1
        }
        _ = try bench.create(GatewayBench.initialize(name: "a")).get()
        bench.advance(.seconds(200))
        _ = try bench.create(GatewayBench.initialize(name: "b")).get()
    }

    @Test("More expired sessions than a sweep takes at once do not hide one of the client's")
    func manyExpiredSessions() throws {
        let bench = GatewayBench {
            $0.maxSessionsPerClient = 1
            $0.sessionTTL = .seconds(100)
        }
        for number in 0..<1001 { _ = try bench.create(GatewayBench.initialize(name: "other-\(number)")).get() }
        bench.advance(.seconds(1))
        _ = try bench.session()
        bench.advance(.seconds(200))
        _ = try bench.session()
    }

    @Test("A client that makes sessions and sends requests faster than it may is told how long to wait; other clients are not concerned")
    func rateOfOneClient() throws {
        let bench = GatewayBench { $0.requestRatePerClient = 2 }
        let hits = LimitHits.total(.requestRatePerClient)
        let session = try bench.session()
        let taken = session.takeRequests(now: .now())
        #expect(taken == nil)
        let refused = try #require(session.takeRequests(now: .now()))
        #expect(refused.limit == .requestRatePerClient && refused.wait > .zero && refused.wait <= .milliseconds(500))
        guard case .failure(.tooFast(let error, let wait)) = try bench.create(GatewayBench.initialize()) else {
            Issue.record("one session too fast")
            return
        }
        #expect(error.message.contains("limits.requestRatePerClient") && wait <= .milliseconds(500))
        #expect(LimitHits.total(.requestRatePerClient) > hits)
        _ = try bench.create(GatewayBench.initialize(name: "other")).get()
    }

    @Test("What the bound of a client refuses does not count for its session, and what that of a session refuses not for its client")
    func ratesOfBoth() throws {
        let bench = GatewayBench {
            $0.requestRatePerSession = 3
            $0.requestRatePerClient = 5
        }
        let (first, second) = (try bench.session(), try bench.session())
        let now = NIODeadline.now() + .seconds(10)
        func take(_ count: Int, _ session: Session) -> LimitKey? { session.takeRequests(count, now: now)?.limit }
        #expect(take(3, first) == nil)
        #expect(take(1, first) == .requestRatePerSession)
        #expect(take(3, second) == .requestRatePerClient)
        #expect(take(2, second) == nil)
        #expect(take(1, second) == .requestRatePerClient)
    }

    @Test("A sweep deletes events older than the retention, whatever the time to live of sessions")
    func retention() throws {
        let bench = GatewayBench {
            $0.streamRetention = .seconds(100)
            $0.sessionTTL = .seconds(5000)
        }
        bench.gateway.sweep()
        bench.settle()
        #expect(bench.stores.prunes == [bench.now.withLockedValue { $0 } - .seconds(100)])
    }

    @Test("No session is made beyond the bound, nor while draining")
    func unavailable() throws {
        let bench = GatewayBench { $0.maxSessions = 1 }
        _ = try bench.session()
        guard case .failure(.tooMany(.maxSessions, let full)) = try bench.create(GatewayBench.initialize()) else {
            Issue.record("one session too many")
            return
        }
        #expect(full.message.contains("sessions.maxSessions"))
        let draining = GatewayBench()
        draining.gateway.beginDraining()
        guard case .failure(.unavailable) = try draining.create(GatewayBench.initialize()) else {
            Issue.record("a session was made while draining")
            return
        }
    }

    @Test("Sessions are found by their id; forged and unknown ids are not, without asking the store for forged ones")
    func lookUp() throws {
        let bench = GatewayBench()
        let session = try bench.session()
        #expect(try bench.find(session.id) === session)
        bench.stores.failure = "must not be asked"
        #expect(try bench.find(SessionID(high: session.id.high, low: session.id.low ^ 1)) == nil)
        bench.stores.failure = nil
        #expect(try bench.find(SessionIDAuthority(key: GatewayBench.key).make()) == nil)
        #expect(try bench.find(SessionIDAuthority(key: Array(repeating: 9, count: 32)).make()) == nil)
    }

    @Test("An ended session is gone from memory and store, and its exchanges are cancelled")
    func ends() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, in: session)
        bench.gateway.endSession(session) { _ in }
        bench.settle()
        #expect(session.isEnded)
        #expect(sink.finals == 1)
        #expect(server.link.messages(of: .cancelled).count == 1)
        #expect(try bench.find(session.id) == nil)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("A session expires when its client is silent for the TTL, and lives on when it is not")
    func expiry() throws {
        let bench = GatewayBench { $0.sessionTTL = .seconds(100) }
        let session = try bench.session()
        bench.advance(.seconds(99))
        #expect(try bench.find(session.id) === session)
        bench.advance(.seconds(99))
        #expect(try bench.find(session.id) === session)
        bench.advance(.seconds(101))
        #expect(try bench.find(session.id) == nil)
        bench.gateway.sweep()
        bench.settle()
        #expect(bench.stores.record(session.id) == nil)
    }

    @Test("When a client was heard of is written to the store in one batch")
    func touches() throws {
        let bench = GatewayBench()
        let session = try bench.session()
        bench.advance(.seconds(5))
        for _ in 0..<10 { #expect(try bench.find(session.id) != nil) }
        bench.gateway.flushTouches()
        bench.gateway.flushTouches()
        bench.settle()
        #expect(bench.stores.touches.count == 1)
        #expect(bench.stores.record(session.id)?.lastSeen == bench.now.withLockedValue { $0 })
    }

    @Test("An unused session leaves memory and comes back from the store; one that listens stays")
    func eviction() throws {
        let bench = GatewayBench { $0.memoryIdleTime = .seconds(10) }
        let idle = try bench.session()
        let listening = try bench.session()
        let subscriber = try bench.listen(listening)
        bench.advance(.seconds(60))
        bench.gateway.sweep()
        bench.settle()
        #expect(bench.gateway.sessionsInMemory == 1)
        #expect(subscriber.ended == 0)
        let back = try #require(try bench.find(idle.id))
        #expect(back !== idle)
        #expect(back.revision == idle.revision)
    }

    @Test("The merged endpoint declares the gateway's capabilities, a server's endpoint the server's own")
    func capabilities() throws {
        let server = ScriptedServer("s", capabilities: #"{"prompts":{},"x":{"y":1e400}}"#)
        let bench = GatewayBench([server])
        let merged = try Message.parse(try bench.create(GatewayBench.initialize()).get().response)
        let capabilities = merged.json.member("capabilities", of: merged.result)
        for name in ["tools", "prompts", "resources"] as [StaticString] {
            #expect(merged.json.isTrue(merged.json.member("listChanged", of: merged.json.member(name, of: capabilities))))
        }
        let single = try Message.parse(try bench.create(GatewayBench.initialize(), server: "s").get().response)
        #expect(single.json.slice(single.json.member("capabilities", of: single.result)).map { String(buffer: $0) } == server.capabilities)
        #expect(
            single.json.slice(single.json.member("serverInfo", of: single.result)).map { String(buffer: $0) }
                == #"{"name":"s","version":"1"}"#)
    }

    @Test("initialize waits for servers that are starting, but not for ever")
    func startupWait() throws {
        let bench = GatewayBench([ScriptedServer("slow", answersInitialize: false)]) { $0.startupWait = .seconds(3) }
        let sink = RecordingSink()
        var isDone: Bool { sink.isOver }
        let session = Session(
            record: SessionRecord(
                id: SessionIDAuthority(key: GatewayBench.key).make(), clientID: "c", revision: .v2025_11_25, server: nil,
                initializeParams: ByteBuffer(string: "{}"),
                createdAt: WallTime(milliseconds: 0), lastSeen: WallTime(milliseconds: 0)), gateway: bench.gateway)
        bench.gateway.handle(try bench.message(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), in: session, sink: sink)
        bench.settle()
        #expect(!isDone)
        bench.loop.advanceTime(by: .seconds(3))
        bench.settle()
        #expect(sink.result == #"{"tools":[]}"#)
    }
}
