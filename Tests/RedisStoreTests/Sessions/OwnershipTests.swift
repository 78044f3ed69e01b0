import GatewayCore
import NIOCore
import RESP
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("Homes of sessions")
struct OwnershipTests {
    @Test("of two that claim at once one succeeds, and the other learns which", .timeLimit(.minutes(1)))
    func race() async throws {
        let bench = try Bench()
        let (one, two, three) = (try await bench.open("one"), try await bench.open("two"), try await bench.open("three"))
        let sessions = (0..<100).map { _ in Sample.session() }
        for session in sessions { try await three.create(session) }
        try await three.release(sessions.map(\.id))
        for session in sessions {
            async let first = one.claim(session.id)
            async let second = two.claim(session.id)
            let claims = try await [first, second]
            #expect(claims.filter { $0 == .mine(session, wasMine: false) }.count == 1)
            let winner = claims[0] == .mine(session, wasMine: false) ? one : two
            guard case .elsewhere(let home)? = claims.first(where: { $0 != .mine(session, wasMine: false) }) else {
                Issue.record("the loser got \(claims)")
                continue
            }
            #expect(home.identity == winner.identity)
            #expect(home.address.authority == "127.0.0.1:1")
        }
        for store in [one, two, three] { await store.close() }
    }

    @Test("a session that is claimed while it is given back stays, also when the two change places on a new connection")
    func claimedWhileReleased() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let session = Sample.session()
        try await one.create(session)
        let late = one.sessions.setReleasing([session.id], true)
        #expect(try await one.claim(session.id) == .mine(session, wasMine: false), "under a new epoch")
        _ = try await one.future(
            .script(
                Scripts.release,
                arguments: [.text(String(one.identity.incarnation))] + late.flatMap { [.text($0.id.description), .text(String($0.epoch))] })
        ).get()
        guard case .elsewhere = try await two.claim(session.id) else { return #expect(Bool(false), "it has a home") }
        try await one.setAttribute(.logLevel, of: session.id, to: "1")
        try await one.release([session.id])
        guard case .mine = try await two.claim(session.id) else { return #expect(Bool(false), "it was given back") }
        for store in [one, two] { await store.close() }
    }

    @Test("a session is at home where it was made, until it is given back")
    func release() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let session = Sample.session(attributes: [.logLevel: "1"])
        try await one.create(session)
        #expect(try await one.claim(session.id) == .mine(session, wasMine: true))
        guard case .elsewhere = try await two.claim(session.id) else { return #expect(Bool(false), "it has a home") }
        // Those of others are left alone.
        try await two.release([session.id])
        guard case .elsewhere = try await two.claim(session.id) else { return #expect(Bool(false), "it has a home") }
        try await one.release([session.id])
        #expect(try await two.claim(session.id) == .mine(session, wasMine: false))
        guard case .elsewhere = try await one.claim(session.id) else { return #expect(Bool(false), "it has a new home") }
        try await two.release([session.id])
        #expect(try await two.claim(session.id) == .mine(session, wasMine: false))
        for store in [one, two] { await store.close() }
    }

    @Test("unknown and expired sessions have no home")
    func unknown() async throws {
        try await Bench().run { store in
            let session = Sample.session(seen: 5_000)
            // There may have been data a moment ago.
            await #expect(throws: StoreError.self) { try await store.claim(session.id) }
            try await eventually("nobody can have lost it") { (try? await store.claim(session.id)) == .unknown }
            try await store.create(session)
            #expect(try await store.claim(session.id, aliveSince: .at(5_001)) == .unknown)
            #expect(try await store.claim(session.id, aliveSince: .at(5_000)) == .mine(session, wasMine: true))
        }
    }

    @Test("whoever was taken over cannot write any more, and is told once for each session")
    func fencing() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let lost = Recorder<SessionID>()
        one.onHomeLost { lost.add($0) }
        let (session, stream) = try await EventLogContract.opened(one)
        let (other, _) = try await EventLogContract.opened(one)
        try await one.append(1, "before", to: stream, of: session)
        one.freeze()
        try await eventually("the lease lapses for the others") {
            if case .mine = try await two.claim(session) { return true }
            return false
        }
        guard case .lapsed = one.lease else { return #expect(Bool(false), "the lease has lapsed here before it did there") }
        func isFenced(_ body: () async throws -> Void) async -> Bool {
            do {
                try await body()
                return false
            } catch {
                return (error as? StoreError)?.kind == .fenced
            }
        }
        #expect(await isFenced { try await one.append(2, "after", to: stream, of: session) })
        #expect(await isFenced { try await one.setAttribute(.logLevel, of: session, to: "1") })
        #expect(await isFenced { _ = try await one.delete(session) })
        #expect(await isFenced { try await one.open(Sample.stream("new", of: session)) })
        one.end(stream, of: session)
        await one.flush()
        #expect(lost.values == [session])
        #expect(one.statistics.fencedOperations >= 3)
        try await two.append(2, "new home", to: stream, of: session)
        let read = try #require(try await two.read(stream, of: session))
        #expect(read.events.map(\.text) == ["before", "new home"])
        #expect(!read.record.hasEnded)
        // What nobody took over is still at home there.
        one.thaw()
        try await one.append(1, "mine", to: stream, of: other)
        for store in [one, two] { await store.close() }
    }

    @Test("a session of an instance that left can be claimed at once, and one of an instance that runs again under its name too")
    func departure() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one") { $0.lease = .seconds(60) }, try await bench.open("two") { $0.lease = .seconds(60) })
        let (first, second) = (Sample.session(), Sample.session())
        try await one.create(first)
        try await two.create(second)
        await one.close()
        #expect(try await two.claim(first.id) == .mine(first, wasMine: false))
        // As after a crash: it left nothing but its record.
        two.freeze()
        let again = try await bench.open("two") { $0.lease = .seconds(60) }
        #expect(again.identity.incarnation > two.identity.incarnation)
        #expect(try await again.claim(second.id) == .mine(second, wasMine: false))
        for store in [two, again] { await store.close() }
    }

    @Test("tasks have an owner as long as it lives")
    func tasks() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        await one.rememberTask("git:7", lifetime: .seconds(60))
        await one.rememberTask("short", lifetime: .milliseconds(20))
        let owner = try await two.owner(ofTask: "git:7")
        #expect(owner?.identity == one.identity)
        #expect(owner?.colour == "blue")
        #expect(try await one.owner(ofTask: "git:7")?.identity == one.identity)
        #expect(try await two.owner(ofTask: "git:8") == nil)
        try await eventually("it expires") { try await two.owner(ofTask: "short") == nil }
        await one.close()
        #expect(try await two.owner(ofTask: "git:7") == nil)
        await two.close()
    }
}
