import Foundation
import GatewayCore
import NIOCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts

@Suite("The embedded store and the end of its process")
struct DurabilityTests {
    @Test("close performs what was asked for, and a new store goes on with it")
    func reopen() async throws {
        let directory = TemporaryDirectory()
        let first = try directory.open()
        let session = Sample.session()
        first.create(session, limits: .none) { _ in }
        first.open(Sample.stream("s", of: session.id)) { _ in }
        for number in 1...100 as ClosedRange<UInt64> {
            let event = StreamEvent(sequence: number, message: ByteBuffer(string: "m"))
            first.append(event, to: StreamID("s"), of: session.id, ends: false) { _ in }
        }
        first.close()
        await #expect(throws: StoreError.self) { try await first.create(Sample.session()) }

        let second = try directory.open()
        #expect(try await second.load(session.id) == session)
        #expect(try await second.read(StreamID("s"), of: session.id)?.events.count == 100)
        try await second.append(101, "n", to: StreamID("s"), of: session.id)
        second.close()
    }

    @Test("what has completed is in the files while the store is open, as kill -9 leaves them")
    func killed() async throws {
        let directory = TemporaryDirectory()
        let killed = TemporaryDirectory()
        let store = try directory.open()
        let session = Sample.session()
        try await store.create(session)
        try await store.open(Sample.stream("s", of: session.id))
        try await store.append(1, "m", to: StreamID("s"), of: session.id)
        try FileManager.default.createDirectory(atPath: killed.path, withIntermediateDirectories: true)
        for name in ["gateway.sqlite", "gateway.sqlite-wal"] {
            try FileManager.default.copyItem(atPath: "\(directory.path)/\(name)", toPath: "\(killed.path)/\(name)")
        }
        store.close()
        let survivor = try killed.open()
        #expect(try await survivor.load(session.id) == session)
        #expect(try await survivor.read(StreamID("s"), of: session.id)?.events.map(\.text) == ["m"])
        survivor.close()
    }

    @Test("what deleted streams have left is removed piece by piece, and after a restart too")
    func reclaim() async throws {
        let directory = TemporaryDirectory()
        let options = EmbeddedStoreOptions(reclaimedEventsPerBatch: 10)
        let first = try directory.open(options: options)
        let (session, stream) = try await EventLogContract.opened(first)
        for number in 1...200 as ClosedRange<UInt64> {
            first.append(StreamEvent(sequence: number, message: ByteBuffer(string: "m")), to: stream, of: session, ends: false) { _ in }
        }
        let release = await first.holdWriter()
        let left = Recorder<Int>()
        first.delete(session) { #expect((try? $0.get()) == true) }
        first.submit("count", isWrite: false) { transaction in
            let statement = try transaction.statement("SELECT count(*) FROM events")
            return try statement.step() ? Int(statement.integer(0)) : 0
        } completion: {
            left.add((try? $0.get()) ?? -1)
        }
        release()
        await first.flush()
        #expect(left.values == [200], "the deletion itself removes no events")
        try await isReclaimed(first)

        // What a killed process leaves: the first store does not look again before it deletes something.
        try await first.run("INSERT INTO events VALUES (999, 1, 'x', 0), (999, 2, 'y', 0)")
        try await first.run("INSERT INTO reclaim VALUES (999)")
        #expect(try await first.run("SELECT count(*) FROM events") == 2)
        first.close()

        let second = try directory.open(options: options)
        try await isReclaimed(second)
        second.close()
    }

    /// Waits until nothing is left; each operation is followed by a piece at the latest.
    private func isReclaimed(_ store: EmbeddedStore) async throws {
        var left = Int.max
        for _ in 0..<100 where left > 0 { left = try await store.run("SELECT count(*) + (SELECT count(*) FROM reclaim) FROM events") }
        #expect(left == 0)
    }

    @Test("the key of session ids is made once and is private, as are directory and database")
    func key() throws {
        let directory = TemporaryDirectory()
        let first = try directory.open()
        let key = try first.signingKey()
        #expect(key.count == 32)
        #expect(try first.signingKey() == key)
        first.close()
        let second = try directory.open()
        #expect(try second.signingKey() == key)
        for (name, rights) in [("", 0o700), ("/gateway.sqlite", 0o600), ("/gateway.sqlite-wal", 0o600), ("/session-id.key", 0o600)] {
            let found = try FileManager.default.attributesOfItem(atPath: directory.path + name)[.posixPermissions] as? Int
            #expect(found == rights, "\(name)")
        }
        second.close()
        try Data([1, 2]).write(to: URL(fileURLWithPath: directory.path + "/session-id.key"))
        let third = try directory.open()
        #expect(throws: EmbeddedStoreError.badSigningKey(path: directory.path + "/session-id.key", bytes: 2)) { try third.signingKey() }
        third.close()
        #expect(try EmbeddedStore.inMemory(logger: .quiet).signingKey() != key)
    }
}
