import GatewayCore
import RESP
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("Keys of sessions")
struct SessionKeysTests {
    @Test("live as long as the session and a little longer, from when it was touched last")
    func expiry() async throws {
        let bench = try Bench()
        let store = try await bench.open { $0.sessionTTL = .seconds(1000) }
        let (id, stream) = try await EventLogContract.opened(store)
        try await store.append(1, "a", to: stream, of: id)
        let key = StreamKey(session: id, stream: stream)
        let names = [
            store.keys.session(id), store.keys.client("client"), store.keys.streams(id), store.keys.stream(key), store.keys.events(key),
        ]
        for name in names {
            try await store.raw("PEXPIRE", name, 500_000)
        }
        store.touch([(id, GatewayClock.system.now())])
        await store.flush()
        for name in names {
            let left = try #require(try await store.raw("PTTL", name).int)
            #expect(left > 1_200_000 && left <= 1_000_000 + 250_000 + 600_000, "\(name)")
        }
        await store.close()
    }

    @Test("of one that Redis let expire go from the indexes by themselves, and count no more")
    func pruning() async throws {
        try await Bench().run { store in
            let limits = SessionLimits(perClient: 2)
            let (first, second) = (Sample.session(client: "a"), Sample.session(client: "a"))
            try await store.create(first, limits: limits)
            try await store.create(second, limits: limits)
            try await store.raw("DEL", store.keys.session(first.id))
            #expect(try await store.create(Sample.session(client: "a"), limits: limits) == .created)
            #expect(try await store.create(Sample.session(client: "a"), limits: limits) == .tooMany(.maxSessionsPerClient))
            try await store.raw("DEL", store.keys.session(second.id))
            #expect(try await store.sessions(ofClient: "a").sessions.count == 1)
            #expect(try await store.raw("ZCARD", store.keys.client("a")).int == 1)
            #expect(try await store.sweep(lastSeenBefore: .at(2_000), limit: 10).count == 3)
            #expect(try await store.raw("ZCARD", store.keys.sessions).int == 0)
        }
    }

    @Test("of many expired sessions of a client are not all looked at for one page")
    func boundedPages() async throws {
        let bench = try Bench()
        let store = try await bench.open { $0.sessionsPerCall = 3 }
        for number in 0..<7 { try await store.create(Sample.session(client: "a", created: Int64(number), seen: 1)) }
        let alive = Sample.session(client: "a", created: 100, seen: 9_000)
        try await store.create(alive)
        var sizes: [Int] = []
        var position: SessionPosition?
        repeat {
            let page = try await store.sessions(ofClient: "a", after: position, limit: 10, aliveSince: .at(5_000))
            sizes.append(page.sessions.count)
            position = page.next
        } while position != nil && sizes.count < 10
        #expect(sizes == [0, 0, 1])
        await store.close()
    }

    @Test("are all gone after a deletion, but for the note that it happened, which goes too")
    func deletion() async throws {
        let bench = try Bench()
        let store = try await bench.open()
        let session = Sample.session(attributes: [.subscription(uri: "a"): "1"])
        try await store.create(session)
        try await store.open(Sample.stream("s", of: session.id))
        try await store.append(1, "a", to: StreamID("s"), of: session.id)
        #expect(try await store.delete(session.id))
        let left = try await store.raw("KEYS", .text(bench.prefix + "*")).elements?.compactMap(\.text).sorted()
        #expect(left == ["cluster", "deleted", "instance:one", "instances"].map { bench.prefix + $0 })
        let ttl = try #require(try await store.raw("PTTL", .text(bench.prefix + "deleted")).int)
        #expect(ttl > 0)
        await store.close()
    }

    @Test("hold limits across instances, however many sessions are made at once")
    func limits() async throws {
        let bench = try Bench()
        let stores = [try await bench.open("one"), try await bench.open("two"), try await bench.open("three")]
        let admitted = try await withThrowingTaskGroup(of: SessionAdmission.self) { group in
            for number in 0..<300 {
                group.addTask {
                    try await stores[number % 3].create(Sample.session(), limits: SessionLimits(overall: 100, perClient: 70))
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 == .created ? 1 : 0 }
        }
        #expect(admitted == 70)
        #expect(try await stores[0].count() == 70)
        // Only what was admitted is remembered.
        #expect(stores.map(\.statistics.heldSessions).reduce(0, +) == 70)
        for store in stores { await store.close() }
    }
}
