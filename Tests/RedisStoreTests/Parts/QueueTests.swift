import GatewayCore
import NIOCore
import RedisServers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("The queue of the store in Redis")
struct QueueTests {
    @Test("refuses what exceeds it, in turn and counted, and goes on")
    func bound() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open(commandTimeout: .seconds(20)) { $0.queueCapacity = 10 }
        bench.server.freeze()
        let outcomes = Recorder<String>()
        for number in 0..<15 {
            store.create(Sample.session(), limits: .none) { result in
                switch result {
                case .success: outcomes.add("\(number) created")
                case .failure(let error): outcomes.add("\(number) \(error.reason.prefix(17))")
                }
            }
        }
        #expect(store.statistics.rejectedOperations == 5)
        bench.server.thaw()
        await store.flush()
        #expect(outcomes.values == (0..<15).map { $0 < 10 ? "\($0) created" : "\($0) its queue is full" })
        #expect(try await store.create(Sample.session()) == .created)
        #expect(try await store.count() == 11)
        #expect(store.statistics.queueDepth == 0)
        #expect(store.statistics.queuedBytes == 0)
        await store.close()
    }

    @Test("a closed store fails what it is asked, on a thread of its own, and waits for what it was asked before")
    func closed() async throws {
        let bench = try Bench()
        let store = try await bench.open()
        let done = Recorder<Bool>()
        for _ in 0..<100 { store.create(Sample.session(), limits: .none) { done.add((try? $0.get()) != nil) } }
        await store.close()
        #expect(done.values == Array(repeating: true, count: 100))
        await #expect(throws: StoreError.self) { try await store.create(Sample.session()) }
        await store.close()
    }
}
