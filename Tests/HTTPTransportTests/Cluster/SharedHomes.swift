import EmbeddedStore
import GatewayCore
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What instances in this process share in place of a server: one store, and who is at home where. It does at once what a store does in time.
final class SharedHomes: Sendable {
    struct Life {
        var record: InstanceRecord
        /// It does not reach the store.
        var isCutOff = false
        var generation: UInt64 = 0
        /// The others take it for dead.
        var isDead = false
    }

    fileprivate struct State {
        var lives: [String: Life] = [:]
        var homes: [SessionID: InstanceIdentity] = [:]
        var claims = 0
    }

    let store: EmbeddedStore
    fileprivate let state = NIOLockedValueBox(State())

    init() throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        store = try EmbeddedStore.inMemory(logger: logger)
    }

    /// How many claims there were.
    var claims: Int { state.withLockedValue { $0.claims } }

    func home(of session: String) -> String? {
        SessionID(session).flatMap { id in state.withLockedValue { $0.homes[id]?.name } }
    }

    func instance(_ name: String) -> Instance {
        let identity = state.withLockedValue { state in
            let identity = InstanceIdentity(name: name, incarnation: UInt64(state.lives.count + 1))
            state.lives[name] = Life(
                record: InstanceRecord(
                    identity: identity, address: Self.loopback(port: 1), version: "0", colour: nil, startedAt: WallTime(milliseconds: 0)))
            return identity
        }
        return Instance(homes: self, identity: identity)
    }

    fileprivate static func loopback(port: Int) -> InstanceAddress {
        guard let address = try? InstanceAddress("http://127.0.0.1:\(port)") else { preconditionFailure("\(port) is no port") }
        return address
    }

    fileprivate func change(_ name: String, _ body: (inout Life) -> Void) {
        state.withLockedValue { state in if state.lives[name] != nil { body(&state.lives[name]!) } }
    }

    /// One of them.
    final class Instance: Sendable {
        let homes: SharedHomes
        let identity: InstanceIdentity
        let lost = NIOLockedValueBox<(@Sendable (SessionID) -> Void)?>(nil)
        /// Called when another process runs under its name.
        let replaced = NIOLockedValueBox<(@Sendable () -> Void)?>(nil)

        init(homes: SharedHomes, identity: InstanceIdentity) {
            self.homes = homes
            self.identity = identity
        }

        var services: ClusterServices { ClusterServices(directory: self, ownership: self, bus: self) }

        func listens(on port: Int) {
            homes.change(identity.name) { life in
                life.record = InstanceRecord(
                    identity: life.record.identity, address: SharedHomes.loopback(port: port), version: "0", colour: nil,
                    startedAt: life.record.startedAt)
            }
        }

        /// Where nobody answers.
        func movesAway() { listens(on: 1) }

        func die() { homes.change(identity.name) { $0.isDead = true } }

        func cutOff(_ isCutOff: Bool) {
            homes.change(identity.name) { life in
                if life.isCutOff, !isCutOff { life.generation += 1 }
                life.isCutOff = isCutOff
            }
        }

        fileprivate var life: Life? { homes.state.withLockedValue { $0.lives[identity.name] } }
    }
}

extension SharedHomes.Instance: InstanceDirectory {
    var address: String { life?.record.address.description ?? "" }

    var lease: Lease {
        guard let life else { return .lapsed(generation: 0) }
        return life.isCutOff ? .lapsed(generation: life.generation) : .held(generation: life.generation)
    }

    var peers: [InstanceRecord] {
        homes.state.withLockedValue { state in
            state.lives.values.filter { $0.record.identity != identity && !$0.isDead }.map(\.record)
                .sorted { $0.identity.name < $1.identity.name }
        }
    }

    func refresh() {}

    func onReplaced(_ body: @escaping @Sendable () -> Void) { replaced.withLockedValue { $0 = body } }

    func beginDraining() { homes.change(identity.name) { $0.record.isDraining = true } }
}

extension SharedHomes.Instance: Ownership {
    func claim(_ id: SessionID, aliveSince: WallTime, completion: @escaping @Sendable (Result<HomeClaim, StoreError>) -> Void) {
        guard life?.isCutOff == false else {
            return completion(.failure(StoreError(operation: "claim", reason: "no route to the store", kind: .unavailable)))
        }
        homes.store.load(id, aliveSince: aliveSince) { result in
            completion(
                result.map { record in
                    guard let record else { return .unknown }
                    return self.homes.state.withLockedValue { state in
                        state.claims += 1
                        if let home = state.homes[id], home != self.identity, let life = state.lives[home.name], !life.isDead {
                            return .elsewhere(life.record)
                        }
                        defer { state.homes[id] = self.identity }
                        return .mine(record, wasMine: state.homes[id] == self.identity)
                    }
                })
        }
    }

    func release(_ ids: [SessionID], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        homes.state.withLockedValue { state in
            for id in ids where state.homes[id] == identity { state.homes[id] = nil }
        }
        completion(.success(()))
    }

    func onHomeLost(_ body: @escaping @Sendable (SessionID) -> Void) { lost.withLockedValue { $0 = body } }

    func rememberTask(_ key: String, lifetime: Duration, completion: @escaping @Sendable () -> Void) { completion() }

    func owner(ofTask key: String, completion: @escaping @Sendable (Result<InstanceRecord?, StoreError>) -> Void) {
        completion(.success(nil))
    }
}

extension SharedHomes.Instance: MessageBus {
    func publish(_ message: BusMessage) {}
    func onMessage(_ handler: any BusHandler) {}
}

/// Creating makes the instance the home; the rest is the store's.
extension SharedHomes.Instance: SessionStore {
    func create(
        _ record: SessionRecord, limits: SessionLimits, completion: @escaping @Sendable (Result<SessionAdmission, StoreError>) -> Void
    ) {
        homes.store.create(record, limits: limits) { result in
            if case .success(.created) = result { self.homes.state.withLockedValue { $0.homes[record.id] = self.identity } }
            completion(result)
        }
    }

    func load(_ id: SessionID, aliveSince: WallTime, completion: @escaping @Sendable (Result<SessionRecord?, StoreError>) -> Void) {
        homes.store.load(id, aliveSince: aliveSince, completion: completion)
    }

    func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) { homes.store.touch(sessions) }

    func setAttribute(
        _ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, completion: (@Sendable (Result<Void, StoreError>) -> Void)?
    ) {
        homes.store.setAttribute(attribute, of: id, to: value, completion: completion)
    }

    func delete(_ id: SessionID, completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        homes.state.withLockedValue { $0.homes[id] = nil }
        homes.store.delete(id, completion: completion)
    }

    func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime,
        completion: @escaping @Sendable (Result<SessionPage, StoreError>) -> Void
    ) {
        homes.store.sessions(ofClient: clientID, after: position, limit: limit, aliveSince: aliveSince, completion: completion)
    }

    func count(aliveSince: WallTime, completion: @escaping @Sendable (Result<Int, StoreError>) -> Void) {
        homes.store.count(aliveSince: aliveSince, completion: completion)
    }

    func sweep(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping @Sendable (Result<[SessionID], StoreError>) -> Void) {
        homes.store.sweep(lastSeenBefore: deadline, limit: limit, completion: completion)
    }

    func flush() async { await homes.store.flush() }
}
