import NIOConcurrencyHelpers

@testable import GatewayCore

/// What one of several instances works with, as the test says: it is "own", and the answers to its claims are set.
final class ScriptedCluster: Sendable {
    private struct State {
        var lease = Lease.held(generation: 0)
        var peers: [InstanceRecord] = []
        var answer: @Sendable (SessionID) -> Result<HomeClaim, StoreError> = { _ in .success(.unknown) }
        var claims: [SessionID] = []
        var released: [SessionID] = []
        var homeLost: (@Sendable (SessionID) -> Void)?
    }

    private let state = NIOLockedValueBox(State())
    let identity = InstanceIdentity(name: "own", incarnation: 1)
    let address = "http://own:1"

    var services: ClusterServices { ClusterServices(directory: self, ownership: self, bus: self) }

    static func instance(_ name: String, incarnation: UInt64 = 2, isDraining: Bool = false) -> InstanceRecord {
        guard let address = try? InstanceAddress("http://\(name):1") else { preconditionFailure("\(name) is no name") }
        return InstanceRecord(
            identity: InstanceIdentity(name: name, incarnation: incarnation), address: address, version: "1", colour: nil,
            startedAt: WallTime(milliseconds: 0), isDraining: isDraining)
    }

    static let unavailable = StoreError(operation: "claim", reason: "no route to the store", kind: .unavailable)

    var lease: Lease {
        get { state.withLockedValue { $0.lease } }
        set { state.withLockedValue { $0.lease = newValue } }
    }
    var peers: [InstanceRecord] {
        get { state.withLockedValue { $0.peers } }
        set { state.withLockedValue { $0.peers = newValue } }
    }

    /// Whose homes were asked for, and which were given back.
    var claims: [SessionID] { state.withLockedValue { $0.claims } }
    var released: [SessionID] { state.withLockedValue { $0.released } }

    func answersClaims(_ answer: @escaping @Sendable (SessionID) -> Result<HomeClaim, StoreError>) {
        state.withLockedValue { $0.answer = answer }
    }

    /// The store refused a write for the session.
    func losesHome(_ id: SessionID) { state.withLockedValue { $0.homeLost }?(id) }
}

extension ScriptedCluster: InstanceDirectory {
    func onReplaced(_ body: @escaping @Sendable () -> Void) {}

    func beginDraining() {}
    func refresh() {}
}

extension ScriptedCluster: Ownership {
    func claim(_ id: SessionID, aliveSince: WallTime, completion: @escaping @Sendable (Result<HomeClaim, StoreError>) -> Void) {
        let answer = state.withLockedValue { state in
            state.claims.append(id)
            return state.answer
        }
        completion(answer(id))
    }

    func release(_ ids: [SessionID], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        state.withLockedValue { $0.released += ids }
        completion(.success(()))
    }

    func onHomeLost(_ body: @escaping @Sendable (SessionID) -> Void) { state.withLockedValue { $0.homeLost = body } }
    func rememberTask(_ key: String, lifetime: Duration, completion: @escaping @Sendable () -> Void) { completion() }
    func owner(ofTask key: String, completion: @escaping @Sendable (Result<InstanceRecord?, StoreError>) -> Void) {
        completion(.success(nil))
    }
}

extension ScriptedCluster: MessageBus {
    func publish(_ message: BusMessage) {}
    func onMessage(_ handler: any BusHandler) {}
}
