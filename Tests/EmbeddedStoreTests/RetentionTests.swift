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
        let store: EmbeddedStore
        let dated: DatedStore

        init(_ options: EmbeddedStoreOptions = EmbeddedStoreOptions(), limits: EventLogLimits = EventLogLimits()) throws {
            let now = NIOLockedValueBox(WallTime.at(0))
            store = try EmbeddedStore.inMemory(
                limits: limits, options: options, clock: GatewayClock { now.withLockedValue { $0 } }, logger: .quiet)
            dated = DatedStore(store: store) { time in now.withLockedValue { $0 = time } }
        }
    }

    @Test("an ended stream goes with its last event, not with its first, and a stream that goes on stays", arguments: [2, 1000])
    func endedStreams(cachedStreams: Int) async throws {
        let bench = try Bench(EmbeddedStoreOptions(cachedStreams: cachedStreams))
        try await RetentionContract.endedStreams(bench.dated)
        var left = Int.max
        for _ in 0..<100 where left > 1 { left = try await bench.store.run("SELECT count(*) FROM events") }
        #expect(left == 1)
    }

    @Test("a stream that goes on loses its old events but the newest, and its numbers go on", arguments: [2, 1000])
    func openStream(cachedStreams: Int) async throws {
        let bench = try Bench(EmbeddedStoreOptions(cachedStreams: cachedStreams))
        try await RetentionContract.openStream(bench.dated) { session in
            // Others push it out of the cache.
            for name in ["x", "y", "z"] {
                try? await bench.store.open(Sample.stream(name, of: session))
                _ = try? await bench.store.append(1_000, "m", to: StreamID(name), of: session)
            }
        }
    }

    @Test("the bounds of a stream are kept after pruning as before")
    func bounds() async throws {
        let bench = try Bench(limits: EventLogLimits(maxEventsPerStream: 5))
        let store = bench.store
        let (session, stream) = try await EventLogContract.opened(store)
        let hits = LimitHits.total(.maxEventsPerStream)
        for number in 1...20 as ClosedRange<UInt64> {
            try await bench.dated.append(number, at: Int64(number), to: stream.value, of: session)
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
                try await bench.dated.append(sequence, at: 5, to: "s\(number)", of: session.id, ends: sequence == 3 && number < 5)
            }
            try await bench.store.open(Sample.stream("gone\(number)", of: Sample.authority.make(), created: 1))
        }
        try await bench.dated.pruneAll(before: 100)
        #expect(try await bench.store.streams(of: session.id).count == 5)
        #expect(try await bench.store.run("SELECT count(*) FROM streams") == 5)
        #expect(try await bench.dated.events("s9", of: session.id) == [3])
    }
}
