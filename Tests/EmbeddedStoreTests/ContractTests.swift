import GatewayCore
import Testing

@testable import EmbeddedStore
@testable import StoreContracts

@Suite("The embedded store keeps the contracts of the core")
struct ContractTests {
    private func inFile(_ check: (EmbeddedStore) async throws -> Void) async throws {
        let directory = TemporaryDirectory()
        let store = try directory.open()
        try await check(store)
        store.close()
    }

    @Test("session store, in a file", arguments: SessionStoreContract.all)
    func sessions(contract: ContractCase<any SessionStore>) async throws {
        try await inFile { try await contract.check($0) }
    }

    @Test("session store, in memory", arguments: SessionStoreContract.all)
    func sessionsInMemory(contract: ContractCase<any SessionStore>) async throws {
        try await contract.check(try EmbeddedStore.inMemory(logger: .quiet))
    }

    @Test("store of one instance alone, in a file", arguments: SoleSessionStoreContract.all)
    func soleSessions(contract: ContractCase<any SoleSessionStore>) async throws {
        try await inFile { try await contract.check($0) }
    }

    @Test("store of one instance alone, in memory", arguments: SoleSessionStoreContract.all)
    func soleSessionsInMemory(contract: ContractCase<any SoleSessionStore>) async throws {
        try await contract.check(try EmbeddedStore.inMemory(logger: .quiet))
    }

    @Test("event log, in a file", arguments: EventLogContract.all)
    func events(contract: ContractCase<EventLogContract.Store>) async throws {
        try await inFile { try await contract.check($0) }
    }

    @Test("event log, in memory", arguments: EventLogContract.all)
    func eventsInMemory(contract: ContractCase<EventLogContract.Store>) async throws {
        try await contract.check(try EmbeddedStore.inMemory(logger: .quiet))
    }

    @Test("event log, with counters of two streams in memory", arguments: EventLogContract.all)
    func eventsUncached(contract: ContractCase<EventLogContract.Store>) async throws {
        try await contract.check(try EmbeddedStore.inMemory(options: EmbeddedStoreOptions(cachedStreams: 2), logger: .quiet))
    }
}
