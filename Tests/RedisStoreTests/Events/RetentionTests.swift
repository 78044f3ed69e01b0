import GatewayCore
import NIOConcurrencyHelpers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("How much and how long the log in Redis keeps")
struct RetentionTests {
    private struct Log {
        let store: RedisStore

        func append(_ sequence: UInt64, at time: Int64, to stream: String, of session: SessionID, ends: Bool = false) async throws {
            store.eventClock.withLockedValue { $0 = .at(time) }
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
        let store = try await Bench().open()
        let log = Log(store: store)
        let session = Sample.session()
        try await store.create(session)
        for name in ["ended", "ends", "open", "never"] { try await store.open(Sample.stream(name, of: session.id, created: 1)) }
        try await log.append(1, at: 10, to: "ended", of: session.id)
        try await log.append(2, at: 20, to: "ended", of: session.id, ends: true)
        try await log.append(1, at: 10, to: "ends", of: session.id)
        try await log.append(1, at: 10, to: "open", of: session.id)
        try await log.append(2, at: 90, to: "ends", of: session.id, ends: true)
        try await log.pruneAll(before: 50)
        #expect(try await Set(store.streams(of: session.id).map(\.stream.value)) == ["ends", "open", "never"])
        #expect(try await log.events("ends", of: session.id) == [2])
        #expect(try await log.events("open", of: session.id) == [1])
        store.end(StreamID("never"), of: session.id)
        try await log.pruneAll(before: 100)
        #expect(try await store.streams(of: session.id).map(\.stream.value) == ["open"])
        await store.close()
    }

    @Test("a stream that goes on loses its old events but the newest, and its numbers go on")
    func openStream() async throws {
        let store = try await Bench().open()
        let log = Log(store: store)
        let (session, _) = try await EventLogContract.opened(store)
        for number in 1...10 as ClosedRange<UInt64> { try await log.append(number, at: Int64(number), to: "s", of: session) }
        try await log.pruneAll(before: 5)
        #expect(try await log.events("s", of: session) == Array(5...10))
        try await log.append(11, at: 11, to: "s", of: session)
        try await log.pruneAll(before: 50)
        #expect(try await log.events("s", of: session) == [11])
        #expect(try await store.read(StreamID("s"), of: session)?.record.lastSequence == 11)
        await #expect(throws: StoreError.self) { try await log.append(11, at: 60, to: "s", of: session) }
        try await log.append(12, at: 60, to: "s", of: session)
        try await log.append(13, at: 70, to: "s", of: session, ends: true)
        try await log.pruneAll(before: 65)
        #expect(try await log.events("s", of: session) == [13])
        try await log.pruneAll(before: 71)
        #expect(try await log.events("s", of: session) == nil)
        await store.close()
    }

    @Test("bounds are kept after pruning as before, and pruning comes to its end in pieces")
    func pieces() async throws {
        let store = try await Bench().open(limits: EventLogLimits(maxEventsPerStream: 5)) {
            $0.prunedStreamsPerCall = 3
            $0.prunedEventsPerCall = 2
        }
        let log = Log(store: store)
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
