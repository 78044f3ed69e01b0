import GatewayCore
import NIOCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts

@Suite("The writer of the embedded store")
struct WriterTests {
    @Test("refuses what exceeds the queue, in turn and counted, and goes on")
    func queueBound() async throws {
        let store = try EmbeddedStore.inMemory(options: EmbeddedStoreOptions(queueCapacity: 10), logger: .quiet)
        let release = await store.holdWriter()
        let outcomes = Recorder<String>()
        for number in 0..<15 {
            store.create(Sample.session(), limits: .none) { result in
                switch result {
                case .success: outcomes.add("\(number) created")
                case .failure(let error): outcomes.add("\(number) \(error.reason.prefix(17))")
                }
            }
        }
        #expect(store.statistics.queueDepth == 10)
        #expect(store.statistics.rejectedOperations == 5)
        release()
        await store.flush()
        #expect(outcomes.values == (0..<15).map { $0 < 10 ? "\($0) created" : "\($0) its queue is full" })
        try await store.create(Sample.session())
        #expect(try await store.count() == 11)
    }

    @Test("refuses payload that exceeds the queue's bytes, but performs a large operation that is alone")
    func byteBound() async throws {
        let store = try EmbeddedStore.inMemory(options: EmbeddedStoreOptions(queueBytes: 100), logger: .quiet)
        try await store.create(Sample.session(params: String(repeating: "x", count: 1_000)))
        let release = await store.holdWriter()
        async let first = store.create(Sample.session(params: String(repeating: "x", count: 1_000)))
        for _ in 0..<1_000_000 where store.statistics.queueDepth == 0 { await Task.yield() }
        let second = Recorder<Bool>()
        store.create(Sample.session(), limits: .none) { second.add((try? $0.get()) != nil) }
        #expect(store.statistics.queuedBytes == 1_000)
        release()
        _ = try await first
        await store.flush()
        #expect(second.values == [false])
    }

    @Test("performs what waits in one transaction, and a session touched often in it once")
    func groups() async throws {
        let store = try EmbeddedStore.inMemory(logger: .quiet)
        let session = Sample.session()
        try await store.create(session)
        let changes = try await store.run("SELECT total_changes()")
        let before = store.statistics.batches
        let release = await store.holdWriter()
        for time in 0..<500 { store.touch([(session.id, .at(Int64(2_000 + time)))]) }
        release()
        await store.flush()
        // The operation that holds the writer, the touches, and the flush with them or after them.
        #expect(store.statistics.batches - before <= 3)
        #expect(store.statistics.largestBatch >= 500)
        #expect(try await store.run("SELECT total_changes()") == changes + 1)
        #expect(try await store.load(session.id)?.lastSeen == .at(2_499))
    }

    @Test("gives the error of an operation that spoils the commit to that operation alone")
    func commitFailure() async throws {
        let directory = TemporaryDirectory()
        let store = try directory.open()
        try await store.run("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        // Checked at COMMIT only.
        try await store.run("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        let (session, stream) = try await EventLogContract.opened(store)
        let release = await store.holdWriter()
        async let first: Void = store.append(1, "a", to: stream, of: session)
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 1 { await Task.yield() }
        let spoiler = Task { try await store.run("INSERT INTO child VALUES (42)") }
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 2 { await Task.yield() }
        async let second: Void = store.append(2, "b", to: stream, of: session)
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 3 { await Task.yield() }
        release()
        try await first
        try await second
        await #expect(throws: StoreError.self) { try await spoiler.value }
        #expect(store.statistics.commitFailures == 1)
        #expect(store.statistics.failedOperations == 1)
        #expect(try await store.read(stream, of: session)?.events.map(\.text) == ["a", "b"])
        store.close()
    }

    @Test("fails writes while the disk is full, answers reads, and goes on without a gap when there is space again")
    func diskFull() async throws {
        let directory = TemporaryDirectory()
        let store = try directory.open()
        let (session, stream) = try await EventLogContract.opened(store)
        let pages = try await store.run("PRAGMA page_count")
        try await store.run("PRAGMA max_page_count = \(pages + 20)")
        let outcomes = Recorder<Bool>()
        let reads = Recorder<Bool>()
        let message = ByteBuffer(repeating: 0x61, count: 4_000)
        let release = await store.holdWriter()
        for number in 1...50 as ClosedRange<UInt64> {
            store.append(StreamEvent(sequence: number, message: message), to: stream, of: session, ends: false) {
                outcomes.add((try? $0.get()) != nil)
            }
            store.load(session, aliveSince: .zero) { reads.add(((try? $0.get()) ?? nil) != nil) }
        }
        release()
        await store.flush()
        let stored = outcomes.values.prefix { $0 }.count
        #expect((1..<50).contains(stored))
        #expect(outcomes.values.dropFirst(stored).allSatisfy { !$0 })
        #expect(reads.values == Array(repeating: true, count: 50))
        #expect(store.statistics.failedOperations > 0)

        try await store.run("PRAGMA max_page_count = 1000000")
        try await store.append(UInt64(stored) + 1, "again", to: stream, of: session)
        let read = try #require(try await store.read(stream, of: session))
        #expect(read.events.map(\.sequence) == (1...UInt64(stored) + 1).map { $0 })
        #expect(read.events.last?.text == "again")
        store.close()
    }

    @Test("says why it cannot write, and finds out by itself that it can again")
    func health() async throws {
        let directory = TemporaryDirectory()
        let store = try directory.open(options: EmbeddedStoreOptions(probeInterval: 1))
        let (session, stream) = try await EventLogContract.opened(store)
        #expect(store.failure == nil)
        let pages = try await store.run("PRAGMA page_count")
        try await store.run("PRAGMA max_page_count = \(pages)")
        await #expect(throws: StoreError.self) {
            try await store.append(1, String(repeating: "x", count: 100_000), to: stream, of: session)
        }
        #expect(store.failure?.contains("full") == true)
        #expect(store.statistics.unloggedEvents == 1)
        // Reads do not heal it, nor do attempts that fail.
        #expect(try await store.load(session) != nil)
        #expect(store.failure != nil)
        store.submit("make room", isWrite: false) {
            _ = try $0.statement("PRAGMA max_page_count = 1000000").step()
        } completion: { _ in
        }
        for _ in 0..<1_000_000 where store.failure != nil { await Task.yield() }
        #expect(store.failure == nil)
        var left = Int.max
        for _ in 0..<100 where left > 0 { left = try await store.run("SELECT count(*) FROM events") }
        #expect(left == 0, "the attempts leave nothing")
        store.close()
    }

    @Test("knows how many sessions it has, after roll-backs and after a restart too")
    func sessionCounts() async throws {
        let directory = TemporaryDirectory()
        let store = try directory.open()
        let first = Sample.session(client: "a")
        try await store.create(first)
        try await store.create(Sample.session(client: "b"))
        try await store.run("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        try await store.run("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        let release = await store.holdWriter()
        async let created = store.create(Sample.session(client: "a"))
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 1 { await Task.yield() }
        async let deleted = store.delete(first.id)
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 2 { await Task.yield() }
        // Spoils the commit of all three.
        let spoiler = Task { try await store.run("INSERT INTO child VALUES (42)") }
        for _ in 0..<1_000_000 where store.statistics.queueDepth < 3 { await Task.yield() }
        release()
        #expect(try await created == .created)
        #expect(try await deleted)
        await #expect(throws: StoreError.self) { try await spoiler.value }
        #expect(store.statistics.commitFailures == 1)
        #expect(store.statistics.storedSessions == 2)
        store.close()

        let again = try directory.open()
        #expect(again.statistics.storedSessions == 2)
        let limits = SessionLimits(overall: 10, perClient: 1)
        #expect(try await again.create(Sample.session(client: "a"), limits: limits) == .tooMany(.maxSessionsPerClient))
        #expect(try await again.create(Sample.session(client: "c"), limits: limits) == .created)
        #expect(again.statistics.storedSessions == 3)
        again.close()
    }

    @Test("says that events find its queue full until one is logged again")
    func eventLogHealth() async throws {
        let store = try EmbeddedStore.inMemory(options: EmbeddedStoreOptions(queueCapacity: 1), logger: .quiet)
        let (session, stream) = try await EventLogContract.opened(store)
        let release = await store.holdWriter()
        for number in 1...3 as ClosedRange<UInt64> {
            store.append(StreamEvent(sequence: number, message: ByteBuffer(string: "m")), to: stream, of: session, ends: false) { _ in }
        }
        #expect(store.eventLogFailure?.contains("queue") == true)
        #expect(store.failure == nil)
        release()
        await store.flush()
        #expect(store.statistics.unloggedEvents == 2)
        try await store.append(4, "m", to: stream, of: session)
        #expect(store.eventLogFailure == nil)
    }
}
