import GatewayCore
import NIOCore
import RESP
import RedisServers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("While Redis is away, and after", .serialized)
struct OutageTests {
    private var now: WallTime { GatewayClock.system.now() }

    private func session(_ client: String = "client", attributes: [SessionAttribute: ByteBuffer] = [:]) -> SessionRecord {
        let now = now.milliseconds
        return Sample.session(client: client, created: now, seen: now, attributes: attributes)
    }

    private func kind(_ body: () async throws -> Void) async -> StoreError.Kind? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? StoreError)?.kind
        }
    }

    private func isBack(_ store: RedisStore) async throws {
        try await eventually("the store is back") {
            let statistics = store.statistics
            return store.failure == nil && statistics.backlogSessions + statistics.backlogWrites == 0
        }
    }

    @Test(
        "what is acknowledged meanwhile is in Redis afterwards, with its data and without", .timeLimit(.minutes(1)),
        arguments: [true, false])
    func backlog(keepsData: Bool) async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        let (old, doomed) = (session(attributes: [.initialized: "true"]), session())
        try await store.create(old)
        try await store.create(doomed)
        try await store.open(Sample.stream("s", of: old.id))
        try await store.append(1, "a", to: StreamID("s"), of: old.id)
        bench.server.kill()

        // The first waits for its time, those after the breaker opened fail or are kept at once.
        let made = session("new", attributes: [.metadata: "{}"])
        #expect(try await store.create(made) == .created)
        try await eventually("the breaker opens") { store.statistics.isBreakerOpen }
        #expect(store.failure?.contains("Redis is away") == true)
        let gone = session()
        #expect(try await store.create(gone) == .created)
        try await store.setAttribute(.logLevel, of: old.id, to: "1")
        try await store.setAttribute(.initialized, of: old.id, to: nil)
        try await store.setAttribute(.logLevel, of: made.id, to: "2")
        let later = now + .milliseconds(1)
        store.touch([(old.id, later)])
        #expect(try await store.delete(doomed.id))
        #expect(try await store.delete(gone.id))
        await store.rememberTask("task", lifetime: .seconds(60))
        #expect(await kind { try await store.append(2, "b", to: StreamID("s"), of: old.id) } == .unavailable)
        #expect(await kind { _ = try await store.claim(Sample.authority.make()) } == .unavailable)
        #expect(try await store.claim(doomed.id) == .unknown, "what was deleted stays so")
        #expect(try await store.claim(gone.id) == .unknown)
        #expect(await kind { _ = try await store.count() } == .unavailable)
        var expected = old
        expected.lastSeen = later
        expected.attributes = [.logLevel: "1"]
        #expect(try await store.claim(old.id) == .mine(expected, wasMine: true))
        #expect(try await store.load(made.id)?.attributes == [.metadata: "{}", .logLevel: "2"])
        #expect(store.statistics.backlogSessions == 1)
        #expect(store.statistics.backlogWrites >= 4)

        if !keepsData { try bench.server.wipe() }
        try bench.server.launch()
        try await isBack(store)
        let other = try await bench.open("other")
        #expect(try await other.load(old.id) == expected)
        #expect(try await other.load(made.id)?.attributes == [.metadata: "{}", .logLevel: "2"])
        #expect(try await other.load(doomed.id) == nil)
        #expect(try await other.load(gone.id) == nil)
        #expect(try await other.count() == 2)
        #expect(try await other.sessions(ofClient: "new").sessions.map(\.id) == [made.id])
        #expect(try await other.owner(ofTask: "task")?.identity == store.identity)
        #expect(other.signingKey() == store.signingKey())
        #expect(other.identity.incarnation > store.identity.incarnation)
        guard case .elsewhere = try await other.claim(old.id) else { return #expect(Bool(false), "it is at home where it was") }
        // The stream goes on, with its numbers.
        try await store.append(3, "c", to: StreamID("s"), of: old.id)
        #expect(try await store.read(StreamID("s"), of: old.id)?.events.map(\.text) == ["a", "c"])
        #expect(store.statistics.lostData == (keepsData ? 0 : 1))
        for store in [store, other] { await store.close() }
    }

    @Test("a session that cannot be written keeps no other from it, and the store from nothing", .timeLimit(.minutes(1)))
    func unreadable() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let log = RecordingLog()
        let store = try await bench.open(logger: log.logger)
        let sessions = (0..<20).map { _ in session() }
        for session in sessions { try await store.create(session) }
        let bad = sessions[7]
        try await store.raw("DEL", store.keys.session(bad.id))
        try await store.raw("SET", store.keys.session(bad.id), "x")
        bench.server.kill()
        try await eventually("the breaker opens") { store.statistics.isBreakerOpen }
        for session in sessions { try await store.setAttribute(.logLevel, of: session.id, to: "1") }
        try bench.server.launch()
        try await eventually("the store is back") { store.failure == nil && store.statistics.backlogWrites == 1 }
        #expect(log.messages.contains { $0.contains("not of this gateway") })
        for session in sessions where session.id != bad.id {
            #expect(try await store.load(session.id)?.attributes == [.logLevel: "1"])
        }
        // It is in nobody's way afterwards, either.
        try await store.raw("ZADD", store.keys.sessions, "0", .text(bad.id.description))
        #expect(try await store.sweep(lastSeenBefore: .at(1), limit: 10) == [bad.id])
        #expect(try await store.raw("EXISTS", store.keys.session(bad.id)).int == 0)
        await store.close()
    }

    @Test("a server that comes back empty before anybody noticed costs no session, at home or elsewhere", .timeLimit(.minutes(1)))
    func quickLoss() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let one = try await bench.open("one", commandTimeout: .seconds(5)) {
            $0.heartbeat = .seconds(1)
            $0.lease = .seconds(3)
        }
        let two = try await bench.open("two", commandTimeout: .seconds(5)) {
            $0.heartbeat = .seconds(1)
            $0.lease = .seconds(3)
        }
        let sessions = (0..<50).map { _ in session() }
        for session in sessions { try await one.create(session) }
        bench.server.kill()
        try bench.server.wipe()
        try bench.server.launch()
        // Whoever asks too early is told to come again, never that there is no such session.
        try await eventually("two finds them all") {
            for session in sessions {
                do {
                    guard case .elsewhere(let home) = try await two.claim(session.id) else {
                        Issue.record("a session of another instance is unknown")
                        return true
                    }
                    #expect(home.identity == one.identity)
                } catch let error as StoreError where error.kind == .unavailable {
                    return false
                }
            }
            return true
        }
        #expect(one.statistics.restoredSessions == 50)
        #expect(one.statistics.breakerOpenings == 0)
        try await one.setAttribute(.logLevel, of: sessions[0].id, to: "1")
        for store in [one, two] { await store.close() }
    }

    @Test("a session that another instance deleted does not come back")
    func noResurrection() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let lost = Recorder<SessionID>()
        one.onHomeLost { lost.add($0) }
        let session = session()
        try await one.create(session)
        one.freeze()
        try await eventually("two takes it over") {
            if case .mine = try await two.claim(session.id) { return true }
            return false
        }
        #expect(try await two.delete(session.id))
        one.thaw()
        // A broken connection lets it look at what it has.
        try await two.raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        try await eventually("one knows") { lost.values == [session.id] }
        #expect(try await one.load(session.id) == nil)
        #expect(try await one.claim(session.id) == .unknown)
        for store in [one, two] { await store.close() }
    }

    @Test("the backlog has bounds, and what exceeds them fails")
    func bounds() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open {
            $0.backlogSessions = 2
            $0.backlogWrites = 3
        }
        let (old, other) = (session(), session())
        try await store.create(old)
        try await store.create(other)
        bench.server.kill()
        _ = await kind { _ = try await store.count() }
        try await eventually("the breaker opens") { store.statistics.isBreakerOpen }
        for _ in 0..<2 { #expect(try await store.create(session()) == .created) }
        #expect(await kind { _ = try await store.create(session()) } == .unavailable)
        for number in 0..<3 { try await store.setAttribute(.subscription(uri: "\(number)"), of: old.id, to: "") }
        #expect(await kind { try await store.setAttribute(.subscription(uri: "x"), of: old.id, to: "") } == .unavailable)
        #expect(await kind { _ = try await store.delete(other.id) } == .unavailable)
        #expect(try await store.load(other.id) != nil)
        #expect(store.statistics.rejectedBacklog == 3)
        try bench.server.launch()
        try await isBack(store)
        #expect(try await store.count() == 4)
        try await store.setAttribute(.logLevel, of: other.id, to: "1")
        await store.close()
    }

    @Test("a refusal for want of memory shows and is logged once, and is over when Redis takes the next heartbeat", .timeLimit(.minutes(1)))
    func refusal() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let log = RecordingLog()
        let store = try await bench.open(logger: log.logger)
        try await store.raw("CONFIG", "SET", "maxmemory", "1")
        try await eventually("it shows") { store.failure?.contains("OOM") == true }
        try await eventually("the lease lapses") { if case .lapsed = store.lease { true } else { false } }
        try await store.raw("CONFIG", "SET", "maxmemory", "0")
        try await eventually("it is over, though nothing else is written") { store.failure == nil }
        #expect(log.messages.count { $0.contains("Redis refuses heartbeats") } == 1)
        await store.close()
    }

    @Test("a store that is closed writes what it kept, when Redis is back just then")
    func close() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        let session = session()
        bench.server.kill()
        #expect(try await store.create(session) == .created)
        // Nobody notices by a heartbeat.
        store.freeze()
        try bench.server.launch()
        await store.close()
        let other = try await bench.open("other")
        #expect(try await other.load(session.id) == session)
        #expect(other.peers == [])
        await other.close()
    }

    @Test("a frozen server is waited for within the time of a command, then given up until it is thawed", .timeLimit(.minutes(1)))
    func frozen() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        let session = session()
        try await store.create(session)
        try await store.open(Sample.stream("s", of: session.id))
        try await store.append(1, "a", to: StreamID("s"), of: session.id)
        bench.server.freeze()
        // It waits in the server's socket, and is executed when that is thawed.
        let unanswered = Task { await kind { try await store.append(2, "b", to: StreamID("s"), of: session.id) } }
        let started = ContinuousClock.now
        #expect(await kind { _ = try await store.count() } == .unavailable)
        #expect(ContinuousClock.now - started < .seconds(5))
        try await eventually("the breaker opens") { store.statistics.isBreakerOpen }
        try await eventually("the lease lapses") { store.lease == .lapsed(generation: 0) }
        try await store.setAttribute(.logLevel, of: session.id, to: "1")
        bench.server.thaw()
        try await isBack(store)
        try await eventually("the lease is held again") { store.lease == .held(generation: 1) }
        #expect(try await store.load(session.id)?.attributes == [.logLevel: "1"])
        #expect(store.statistics.breakerOpenings == 1)
        // It failed, so clients have got it without an id: they must not get it again.
        #expect(await unanswered.value == .unavailable)
        try await store.append(3, "c", to: StreamID("s"), of: session.id)
        #expect(try await store.read(StreamID("s"), of: session.id)?.events.map(\.text) == ["a", "c"])
        await store.close()
    }

    @Test("events are in the log once and in order, and complete in order, over connections that break", .timeLimit(.minutes(1)))
    func eventOrder() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open(commandTimeout: .seconds(10))
        let killer = try await bench.open("killer", commandTimeout: .seconds(10))
        let owned = session()
        try await store.create(owned)
        for name in 0..<3 { try await store.open(Sample.stream("s\(name)", of: owned.id)) }
        let completed = Recorder<String>()
        let failed = Recorder<String>()
        let short = Recorder<String>()
        let count = 1_500
        for number in 1...count {
            for name in 0..<3 {
                let event = StreamEvent(sequence: UInt64(number), message: ByteBuffer(string: "\(number)"))
                store.append(event, to: StreamID("s\(name)"), of: owned.id, ends: number == count) { result in
                    completed.add("\(name):\(number)")
                    if case .failure(let error) = result { failed.add("\(name):\(number) \(error)") }
                }
            }
            if number % 50 == 0 {
                store.read(StreamID("s0"), of: owned.id, after: 0, limit: 10_000) { result in
                    let newest = (try? result.get())??.events.map(\.sequence) ?? []
                    if newest.count < number || newest != Array(1...UInt64(newest.count)) { short.add("\(number): \(newest.count)") }
                }
            }
            // What Redis does not know any more is executed later than what comes after it.
            if number % 70 == 0 { try await killer.raw("SCRIPT", "FLUSH") }
            if number % 100 == 0 {
                let reconnects = store.redisStatistics.reconnects
                try await killer.raw("CLIENT", "KILL", "TYPE", "normal")
                // What is asked for next waits now for a connection, now it is sent at once on a new one.
                if number % 300 == 0 { try await eventually("it is connected again") { store.redisStatistics.reconnects > reconnects } }
            }
        }
        await store.flush()
        #expect(failed.values == [])
        #expect(short.values == [], "a read shows what was asked for before it")
        #expect(completed.values == (1...count).flatMap { number in (0..<3).map { "\($0):\(number)" } })
        for name in 0..<3 {
            let read = try #require(try await store.read(StreamID("s\(name)"), of: owned.id, limit: 10_000))
            #expect(read.events.map(\.text) == (1...count).map { "\($0)" })
            #expect(read.record.hasEnded)
        }
        #expect(store.redisStatistics.reconnects > 3)
        #expect(store.statistics.repeatedOperations > 0)
        for store in [store, killer] { await store.close() }
    }
}
