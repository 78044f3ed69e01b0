import GatewayCore
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("The store in Redis keeps the contracts of the core")
struct ContractTests {
    @Test("session store", arguments: SessionStoreContract.all)
    func sessions(contract: ContractCase<any SessionStore>) async throws {
        try await Bench().run { try await contract.check($0) }
    }

    @Test("event log", arguments: EventLogContract.all)
    func events(contract: ContractCase<EventLogContract.Store>) async throws {
        try await Bench().run { try await contract.check($0) }
    }
}
