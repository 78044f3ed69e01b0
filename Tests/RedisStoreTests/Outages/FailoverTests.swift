import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import RESP
import Testing

@testable import RedisStore
@testable import StoreContracts

/// A replica that becomes the master lacks what the old master had not told it. Here Redis loses the newest changes, then all connections.
@Suite("After a failover that lost the newest changes")
struct FailoverTests {
    private func session(attributes: [SessionAttribute: ByteBuffer] = [:]) -> SessionRecord {
        let now = GatewayClock.system.now().milliseconds
        return Sample.session(created: now, seen: now, attributes: attributes)
    }

    private func breakConnections(_ store: RedisStore) async throws {
        let reconnects = store.redisStatistics.reconnects
        _ = try? await store.raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")
        try await eventually("it is connected again") { store.redisStatistics.reconnects > reconnects }
    }

    @Test("sessions, their attributes and deletions are as they were acknowledged")
    func sessions() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        let (old, new, deleted) = (session(attributes: [.initialized: "true"]), session(), session())
        try await store.create(old)
        try await store.create(deleted)
        let before = try #require(try await store.raw("DUMP", store.keys.session(old.id)).bytes)
        let undeleted = try #require(try await store.raw("DUMP", store.keys.session(deleted.id)).bytes)
        try await store.setAttribute(.logLevel, of: old.id, to: "1")
        try await store.setAttribute(.initialized, of: old.id, to: nil)
        try await store.create(new)
        #expect(try await store.delete(deleted.id))

        try await store.raw("RESTORE", store.keys.session(old.id), 0, .bytes(before), "REPLACE")
        try await store.raw("RESTORE", store.keys.session(deleted.id), 0, .bytes(undeleted))
        try await store.raw("DEL", store.keys.session(new.id), .text(bench.prefix + "deleted"))
        try await breakConnections(store)
        let other = try await bench.open("other")
        try await eventually("all is as it was") {
            guard try await other.load(old.id)?.attributes == [.logLevel: "1"] else { return false }
            guard try await other.load(new.id) == new else { return false }
            return try await other.load(deleted.id) == nil
        }
        for store in [store, other] { await store.close() }
    }

    @Test("a home that was won is kept, also when a write finds the loss first")
    func home() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let lost = Recorder<SessionID>()
        two.onHomeLost { lost.add($0) }
        let session = session()
        try await one.create(session)
        let before = try #require(try await one.raw("DUMP", one.keys.session(session.id)).bytes)
        try await one.release([session.id])
        #expect(try await two.claim(session.id) == .mine(session, wasMine: false))
        try await two.raw("RESTORE", two.keys.session(session.id), 0, .bytes(before), "REPLACE")
        try await two.setAttribute(.logLevel, of: session.id, to: "1")
        #expect(lost.values == [])
        guard case .elsewhere(let home) = try await one.claim(session.id) else { return #expect(Bool(false), "it has a home") }
        #expect(home.identity == two.identity)
        for store in [one, two] { await store.close() }
    }

    @Test(
        "events are in the log as they were acknowledged, whether an append or the new connection finds the loss", arguments: [true, false])
    func events(appends: Bool) async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        let owned = session()
        try await store.create(owned)
        for name in ["open", "ended", "new"] { try await store.open(Sample.stream(name, of: owned.id)) }
        for number in 1...6 as ClosedRange<UInt64> {
            for name in ["open", "ended", "new"] {
                try await store.append(number, "\(number)", to: StreamID(name), of: owned.id, ends: number == 6 && name == "ended")
            }
        }
        // The replica has heard of 4 events of two streams, and nothing of the third.
        for name in ["open", "ended"] {
            let key = StreamKey(session: owned.id, stream: StreamID(name))
            let newest = try #require(try await store.raw("XREVRANGE", store.keys.events(key), "+", "-", "COUNT", 2).elements)
            for event in newest {
                try await store.raw("XDEL", store.keys.events(key), .text(try #require(event.elements?.first?.text)))
            }
            // Their ids are lost too.
            let kept = try #require(try await store.raw("XRANGE", store.keys.events(key), "-", "+").elements)
            try await store.raw("DEL", store.keys.events(key))
            for event in kept {
                try await store.raw(
                    "XADD", store.keys.events(key), .text(try #require(event.elements?.first?.text)), "m",
                    .bytes(try #require(event.elements?.last?.elements?.last?.bytes)))
            }
            try await store.raw("HSET", store.keys.stream(key), "last", "4", "bytes", "4", "ended", "0")
        }
        let new = StreamKey(session: owned.id, stream: StreamID("new"))
        try await store.raw("DEL", store.keys.stream(new), store.keys.events(new))
        if !appends { try await breakConnections(store) }
        try await store.append(7, "7", to: StreamID("open"), of: owned.id)
        try await store.append(7, "7", to: StreamID("new"), of: owned.id)
        if appends { try await breakConnections(store) }
        try await eventually("all are there") {
            for name in ["open", "ended", "new"] {
                let read = try await store.read(StreamID(name), of: owned.id)
                let expected = (1...(name == "ended" ? 6 : 7)).map { "\($0)" }
                guard read?.events.map(\.text) == expected, read?.record.hasEnded == (name == "ended") else { return false }
            }
            return true
        }
        #expect(store.statistics.restoredEvents == 2 + 2 + 6)
        await store.close()
    }

    @Test(
        "how often a stream's requests were worked on again is as it was counted, also of a stream that is lost", arguments: [true, false])
    func repetitions(isLost: Bool) async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let session = session()
        try await one.create(session)
        try await one.open(Sample.stream("s", of: session.id, repeatable: "[1]"))
        try await one.append(1, "1", to: StreamID("s"), of: session.id)
        try await one.release([session.id])
        #expect(try await two.claim(session.id) == .mine(session, wasMine: false))
        #expect(try await two.streams(of: session.id).map(\.repetitions) == [0])
        let key = StreamKey(session: session.id, stream: StreamID("s"))
        try await two.setRepetitions(of: key.stream, in: session.id, to: 1)
        if isLost {
            try await two.raw("DEL", two.keys.stream(key))
        } else {
            try await two.raw("HDEL", two.keys.stream(key), "repetitions")
        }
        try await breakConnections(two)
        try await eventually("it is as it was") {
            let record = try await two.read(key.stream, of: session.id)?.record
            return record?.repetitions == 1 && record?.repeatableRequests == ByteBuffer(string: "[1]")
        }
        await #expect(throws: StoreError.self) { try await one.setRepetitions(of: key.stream, in: session.id, to: 5) }
        for store in [one, two] { await store.close() }
    }

    @Test("what is kept for this is bounded, and forgotten when the connection has stood long enough")
    func bounds() async throws {
        let store = try await Bench().open {
            $0.recentEventBytes = 100
            $0.recentDeletions = 3
            $0.replicationWindow = .milliseconds(300)
        }
        let (session, stream) = try await EventLogContract.opened(store)
        for number in 1...50 as ClosedRange<UInt64> { try await store.append(number, "1234567890", to: stream, of: session) }
        let kept = store.recent.streams(of: session)[stream]
        #expect(store.recent.bytes <= 100)
        #expect(kept.map { $0.floor + UInt64($0.events.count) } == 50)
        for _ in 0..<5 {
            let session = Sample.session()
            try await store.create(session)
            #expect(try await store.delete(session.id))
        }
        #expect(store.sessions.state.withLockedValue { $0.recentDeletions.count } <= 3)
        try await eventually("they are forgotten") {
            store.recent.bytes == 0 && store.recent.sessions.isEmpty && store.sessions.state.withLockedValue { $0.recentDeletions.isEmpty }
        }
        await store.close()
    }
}
