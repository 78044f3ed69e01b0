import GatewayCore
import Testing

/// A store, and the way to set the time at which its events are appended.
struct DatedStore: Sendable {
    let store: any EventLog & SessionStore
    let setTime: @Sendable (WallTime) -> Void

    func append(_ sequence: UInt64, at time: Int64, to stream: String, of session: SessionID, ends: Bool = false) async throws {
        setTime(.at(time))
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

    func streams(of session: SessionID) async throws -> Set<String> { try await Set(store.streams(of: session).map(\.stream.value)) }
}

/// How long a store keeps events, for every implementation whose time a test can set.
enum RetentionContract {
    /// An ended stream goes with its last event, not with its first, and a stream that goes on stays. One event is left.
    static func endedStreams(_ bench: DatedStore) async throws {
        let session = Sample.session()
        try await bench.store.create(session)
        for name in ["ended", "ends", "open", "never"] { try await bench.store.open(Sample.stream(name, of: session.id, created: 1)) }
        try await bench.append(1, at: 10, to: "ended", of: session.id)
        try await bench.append(2, at: 20, to: "ended", of: session.id, ends: true)
        try await bench.append(1, at: 10, to: "ends", of: session.id)
        try await bench.append(1, at: 10, to: "open", of: session.id)
        try await bench.append(2, at: 90, to: "ends", of: session.id, ends: true)
        try await bench.pruneAll(before: 50)
        #expect(try await bench.streams(of: session.id) == ["ends", "open", "never"])
        #expect(try await bench.events("ends", of: session.id) == [2])
        #expect(try await bench.events("open", of: session.id) == [1])
        // What was never used goes when it ends.
        bench.store.end(StreamID("never"), of: session.id)
        try await bench.pruneAll(before: 100)
        #expect(try await bench.streams(of: session.id) == ["open"])
    }

    /// A stream that goes on loses its old events but the newest, and its numbers go on.
    /// - Parameter meanwhile: happens between appends and reads of the stream.
    static func openStream(_ bench: DatedStore, meanwhile: (_ session: SessionID) async throws -> Void = { _ in }) async throws {
        let (session, _) = try await EventLogContract.opened(bench.store)
        for number in 1...10 as ClosedRange<UInt64> { try await bench.append(number, at: Int64(number), to: "s", of: session) }
        try await meanwhile(session)
        try await bench.pruneAll(before: 5)
        #expect(try await bench.events("s", of: session) == Array(5...10))
        try await bench.append(11, at: 11, to: "s", of: session)
        try await meanwhile(session)
        try await bench.pruneAll(before: 50)
        #expect(try await bench.events("s", of: session) == [11])
        #expect(try await bench.store.read(StreamID("s"), of: session)?.record.lastSequence == 11)
        try await meanwhile(session)
        await #expect(throws: StoreError.self) { try await bench.append(11, at: 60, to: "s", of: session) }
        try await bench.append(12, at: 60, to: "s", of: session)
        try await bench.append(13, at: 70, to: "s", of: session, ends: true)
        try await bench.pruneAll(before: 65)
        #expect(try await bench.events("s", of: session) == [13])
        try await bench.pruneAll(before: 71)
        #expect(try await bench.events("s", of: session) == nil)
    }
}
