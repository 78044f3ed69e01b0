import GatewayCore
import NIOConcurrencyHelpers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("How much and how long the log in Redis keeps")
struct RetentionTests {
    private func dated(_ store: RedisStore) -> DatedStore {
        DatedStore(store: store) { time in store.eventClock.withLockedValue { $0 = time } }
    }

    @Test("drops the oldest events beyond the count, counts them, and shows a gap")
    func count() async throws {
        let store = try await Bench().open(limits: EventLogLimits(maxEventsPerStream: 5))
        let (session, stream) = try await EventLogContract.opened(store)
        let hits = LimitHits.total(.maxEventsPerStream)
        for number in 1...12 as ClosedRange<UInt64> { try await store.append(number, "m", to: stream, of: session) }
        let read = try #require(try await store.read(stream, of: session, after: 3))
        #expect(read.events.map(\.sequence) == [8, 9, 10, 11, 12])
        #expect(read.record.lastSequence == 12)
        #expect(store.statistics.droppedEvents == 7)
        #expect(LimitHits.total(.maxEventsPerStream) >= hits + 7)
        await store.close()
    }

    @Test("drops the oldest events beyond the bytes, never the newest, and refuses a message larger than the limit")
    func bytes() async throws {
        let store = try await Bench().open(limits: EventLogLimits(maxBytesPerStream: 100))
        let (session, stream) = try await EventLogContract.opened(store)
        for number in 1...4 as ClosedRange<UInt64> {
            try await store.append(number, String(repeating: "x", count: 30), to: stream, of: session)
        }
        #expect(try await store.read(stream, of: session)?.events.map(\.sequence) == [2, 3, 4])
        await #expect(throws: StoreError.self) { try await store.append(5, String(repeating: "x", count: 101), to: stream, of: session) }
        try await store.append(5, String(repeating: "x", count: 100), to: stream, of: session, ends: true)
        #expect(try await store.read(stream, of: session)?.events.map(\.sequence) == [5])
        #expect(store.statistics.droppedEvents == 4)
        #expect(store.statistics.unloggedEvents == 1)
        await store.close()
    }

    @Test("an ended stream goes with its last event, not with its first, and a stream that goes on stays")
    func endedStreams() async throws {
        try await Bench().run { try await RetentionContract.endedStreams(dated($0)) }
    }

    @Test("a stream that goes on loses its old events but the newest, and its numbers go on")
    func openStream() async throws {
        try await Bench().run { try await RetentionContract.openStream(dated($0)) }
    }

    @Test("bounds are kept after pruning as before, and pruning comes to its end in pieces")
    func pieces() async throws {
        let store = try await Bench().open(limits: EventLogLimits(maxEventsPerStream: 5)) {
            $0.prunedStreamsPerCall = 3
            $0.prunedEventsPerCall = 2
        }
        let log = dated(store)
        let session = Sample.session()
        try await store.create(session)
        for name in 0..<10 {
            try await store.open(Sample.stream("s\(name)", of: session.id, created: 1))
            for number in 1...8 as ClosedRange<UInt64> { try await log.append(number, at: Int64(number), to: "s\(name)", of: session.id) }
        }
        try await log.pruneAll(before: 7)
        for number in 9...20 as ClosedRange<UInt64> { try await log.append(number, at: Int64(number), to: "s1", of: session.id) }
        #expect(try await log.events("s0", of: session.id) == [7, 8])
        #expect(try await log.events("s1", of: session.id) == Array(16...20))
        #expect(store.statistics.droppedEvents == 10 * 3 + 12 + 2 - 5)
        await store.close()
    }
}
