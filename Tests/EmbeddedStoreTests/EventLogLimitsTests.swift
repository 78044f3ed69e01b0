import GatewayCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts

@Suite("Bounds of the embedded event log")
struct EventLogLimitsTests {
    @Test("drops the oldest events beyond the count, counts them, and shows a gap", arguments: [2, 20_000])
    func count(cachedStreams: Int) async throws {
        let store = try EmbeddedStore.inMemory(
            limits: EventLogLimits(maxEventsPerStream: 5), options: EmbeddedStoreOptions(cachedStreams: cachedStreams), logger: .quiet)
        let (session, stream) = try await EventLogContract.opened(store)
        let (other, _) = try await EventLogContract.opened(store)
        for number in 1...12 as ClosedRange<UInt64> {
            try await store.append(number, "m", to: stream, of: session)
            try await store.append(number, "m", to: stream, of: other)
        }
        let read = try #require(try await store.read(stream, of: session, after: 3))
        #expect(read.events.map(\.sequence) == [8, 9, 10, 11, 12])
        #expect(read.record.lastSequence == 12)
        #expect(store.statistics.droppedEvents == 14)
    }

    @Test("drops the oldest events beyond the bytes, never the newest, and knows the bytes after a restart")
    func bytes() async throws {
        let directory = TemporaryDirectory()
        let limits = EventLogLimits(maxBytesPerStream: 100)
        let first = try directory.open(limits: limits)
        let (session, stream) = try await EventLogContract.opened(first)
        for number in 1...3 as ClosedRange<UInt64> {
            try await first.append(number, String(repeating: "x", count: 30), to: stream, of: session)
        }
        first.close()
        let second = try directory.open(limits: limits)
        try await second.append(4, String(repeating: "x", count: 30), to: stream, of: session)
        #expect(try await second.read(stream, of: session)?.events.map(\.sequence) == [2, 3, 4])
        try await second.append(5, String(repeating: "x", count: 100), to: stream, of: session, ends: true)
        #expect(try await second.read(stream, of: session)?.events.map(\.sequence) == [5])
        #expect(second.statistics.droppedEvents == 4)
        second.close()
    }

    @Test("refuses a message larger than the limit and takes a smaller one in its place")
    func largestEvent() async throws {
        let store = try EmbeddedStore.inMemory(limits: EventLogLimits(maxEventBytes: 10), logger: .quiet)
        let (session, stream) = try await EventLogContract.opened(store)
        await #expect(throws: StoreError.self) { try await store.append(1, "12345678901", to: stream, of: session) }
        try await store.append(1, "1234567890", to: stream, of: session)
    }

    @Test(
        "finds the end of a prefix in the order of Unicode scalars",
        arguments: [("a", "b"), ("\u{D7FF}", "\u{E000}"), ("a\u{10FFFF}", "b")])
    func prefix(prefix: String, end: String) {
        #expect(StoreTransaction.firstText(after: prefix) == end)
        #expect(StoreTransaction.firstText(after: "\u{10FFFF}") == nil)
    }
}
