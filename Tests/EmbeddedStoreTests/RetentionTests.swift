import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts

@Suite("How long the embedded store keeps events")
struct RetentionTests {
    /// A store whose time the test sets.
    private struct Bench {
        let now = NIOLockedValueBox(WallTime.at(0))
        let store: EmbeddedStore

        init(_ options: EmbeddedStoreOptions = EmbeddedStoreOptions()) throws {
            let now = now
            store = try EmbeddedStore.inMemory(options: options, clock: GatewayClock { now.withLockedValue { $0 } }, logger: .quiet)
        }

        func append(_ sequence: UInt64, at time: Int64, to stream: String, of session: SessionID, ends: Bool = false) async throws {
            now.withLockedValue { $0 = .at(time) }
            try await store.append(sequence, "m\(sequence)", to: StreamID(stream), of: session, ends: ends)
        }

        func pruneAll(before deadline: Int64) async throws {
            for _ in 0..<1000 {
                if try await store.prune(before: .at(deadline)) == 0 { return }
            }
            Issue.record("pruning never ends")
        }

        func events(_ stream: String, of session: SessionID) async throws -> [UInt64]? {
            try await store.read(StreamID(stream), of: session)?.events.map(\.sequence)
        }

        var storedEvents: Int { get async throws { try await store.run("SELECT count(*) FROM events") } }
    }

    @Test("an ended stream goes with its last event, not with its first, and a stream that goes on stays", arguments: [2, 1000])
    func endedStreams(cachedStreams: Int) async throws {
        let bench = try Bench(EmbeddedStoreOptions(cachedStreams: cachedStreams))
        let session = Sample.session()
        try await bench.store.create(session)
        for name in ["ended", "ends", "open", "never"] { try await bench.store.open(Sample.stream(name, of: session.id, created: 1)) }
        try await bench.append(1, at: 10, to: "ended", of: session.id)
        try await bench.append(2, at: 20, to: "ended", of: session.id, ends: true)
        try await bench.append(1, at: 10, to: "ends", of: session.id)
        try await bench.append(1, at: 10, to: "open", of: session.id)
        try await bench.append(2, at: 90, to: "ends", of: session.id, ends: true)
        try await bench.pruneAll(before: 50)
        #expect(try await bench.store.streams(of: session.id).map(\.stream.value) == ["ends", "open", "never"])
        #expect(try await bench.events("ends", of: session.id) == [2])
        #expect(try await bench.events("open", of: session.id) == [1])
        // What was never used goes when it ends.
        bench.store.end(StreamID("never"), of: session.id)
        try await bench.pruneAll(before: 100)
        #expect(try await bench.store.streams(of: session.id).map(\.stream.value) == ["open"])
        var left = Int.max
        for _ in 0..<100 where left > 1 { left = try await bench.storedEvents }
        #expect(left == 1)
    }

    @Test("a stream that goes on loses its old events but the newest, and its numbers go on", arguments: [2, 1000])
    func openStream(cachedStreams: Int) async throws {
        let bench = try Bench(EmbeddedStoreOptions(cachedStreams: cachedStreams))
        let (session, _) = try await EventLogContract.opened(bench.store)
        // Others that push it out of the cache.
        for name in ["x", "y", "z"] { try await bench.store.open(Sample.stream(name, of: session)) }
        func touchOthers() async throws {
            for name in ["x", "y", "z"] { _ = try? await bench.store.append(1_000, "m", to: StreamID(name), of: session) }
        }
        for number in 1...10 as ClosedRange<UInt64> { try await bench.append(number, at: Int64(number), to: "s", of: session) }
        try await touchOthers()
        try await bench.pruneAll(before: 5)
        #expect(try await bench.events("s", of: session) == Array(5...10))
        try await bench.append(11, at: 11, to: "s", of: session)
        try await touchOthers()
        try await bench.pruneAll(before: 50)
        #expect(try await bench.events("s", of: session) == [11])
        #expect(try await bench.store.read(StreamID("s"), of: session)?.record.lastSequence == 11)
        try await touchOthers()
        await #expect(throws: StoreError.self) { try await bench.append(11, at: 60, to: "s", of: session) }
        try await bench.append(12, at: 60, to: "s", of: session)
        try await bench.append(13, at: 70, to: "s", of: session, ends: true)
        try await bench.pruneAll(before: 65)
        #expect(try await bench.events("s", of: session) == [13])
        try await bench.pruneAll(before: 71)
        #expect(try await bench.events("s", of: session) == nil)
    }

    @Test("the bounds of a stream are kept after pruning as before")
    func bounds() async throws {
        let now = NIOLockedValueBox(WallTime.at(0))
        let store = try EmbeddedStore.inMemory(
            limits: EventLogLimits(maxEventsPerStream: 5), clock: GatewayClock { now.withLockedValue { $0 } }, logger: .quiet)
        let (session, stream) = try await EventLogContract.opened(store)
        let hits = LimitHits.total(.maxEventsPerStream)
        for number in 1...20 as ClosedRange<UInt64> {
            now.withLockedValue { $0 = .at(Int64(number)) }
            try await store.append(number, "m", to: stream, of: session)
            if number == 8 { try await store.prune(before: .at(7)) }
        }
        #expect(try await store.read(stream, of: session)?.events.map(\.sequence) == Array(16...20))
        #expect(store.statistics.droppedEvents == 20 - 5 - 3)
        #expect(LimitHits.total(.maxEventsPerStream) >= hits + 12)
    }

    @Test("pruning comes to its end in pieces, and streams of sessions that are gone go too")
    func pieces() async throws {
        let bench = try Bench(EmbeddedStoreOptions(prunedStreamsPerCall: 3, prunedEventsPerCall: 2))
        let session = Sample.session()
        try await bench.store.create(session)
        for number in 0..<10 {
            try await bench.store.open(Sample.stream("s\(number)", of: session.id, created: 1))
            for sequence in 1...3 as ClosedRange<UInt64> {
                try await bench.append(sequence, at: 5, to: "s\(number)", of: session.id, ends: sequence == 3 && number < 5)
            }
            try await bench.store.open(Sample.stream("gone\(number)", of: Sample.authority.make(), created: 1))
        }
        try await bench.pruneAll(before: 100)
        #expect(try await bench.store.streams(of: session.id).count == 5)
        #expect(try await bench.store.run("SELECT count(*) FROM streams") == 5)
        #expect(try await bench.events("s9", of: session.id) == [3])
    }
}
