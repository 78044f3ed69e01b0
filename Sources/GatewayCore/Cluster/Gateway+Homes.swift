import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// Where sessions are at home, among instances that share a store. (DESIGN decision 7; docs/architecture.md, "Many instances".)
extension Gateway {
    /// Says where a request of a session is to be served, and makes this instance the session's home if it has none.
    ///
    /// - Parameters:
    ///   - source: who sent the request. What an instance sent is served here or not at all: one hop at most.
    ///   - tried: the instances that this request was sent to in vain.
    public func locate(
        _ id: SessionID, from source: RequestSource = .client, tried: TriedInstances = TriedInstances(),
        completion: @escaping @Sendable (Result<SessionPlace, StoreError>) -> Void
    ) {
        guard let cluster else {
            return session(id) { completion($0.map { $0.map(SessionPlace.here) ?? .unknown }) }
        }
        let now = clock.now()
        let lease = cluster.directory.lease
        var inMemory = registry[id]
        // One that is stood in for is not at home here; and now it can be looked up.
        if let session = inMemory, session.isStateless {
            if case .held = lease { abandon(session) }
            inMemory = nil
        }
        if let session = inMemory {
            guard session.state.withLockedValue({ $0.lastSeen }) >= now - settings.sessionTTL else {
                endLocally(session)
                return completion(.success(.unknown))
            }
            switch lease {
            case .held(session.leaseGeneration):
                registry.touch(session, now: now)
                return completion(.success(.here(session)))
            // Others may have taken it over since it was claimed.
            case .held: return claim(id, for: source, tried: tried, in: cluster, completion: completion)
            case .lapsed: return completion(.success(placeWithoutLease(of: session, for: source, tried: tried, in: cluster)))
            }
        }
        // Of what is known there was a session.
        if source.isClient, let home = knownHome(of: id, in: cluster), !tried.contains(home) {
            return completion(.success(.elsewhere(home)))
        }
        guard authority.isGenuine(id) else { return completion(.success(.unknown)) }
        // On its way out it takes nothing over.
        guard !isDraining else { return completion(.success(placeWithoutClaim(of: id, for: source, tried: tried, in: cluster))) }
        claim(id, for: source, tried: tried, in: cluster, completion: completion)
    }

    private func claim(
        _ id: SessionID, for source: RequestSource, tried: TriedInstances, in cluster: ClusterServices,
        completion: @escaping @Sendable (Result<SessionPlace, StoreError>) -> Void
    ) {
        let generation = cluster.directory.lease.generation
        let now = clock.now()
        cluster.ownership.claim(id, aliveSince: now - settings.sessionTTL) { result in
            switch result {
            case .success(.mine(let record, let wasMine)):
                self.settle(record, wasMine: wasMine, generation: generation) { session in
                    self.registry.touch(session, now: now)
                    completion(.success(.here(session)))
                }
            case .success(.elsewhere(let home)):
                self.registry[id].map(self.abandon)
                self.knownHomes.remember(id, at: home.identity)
                completion(.success(tried.contains(home) ? .moving : .elsewhere(home)))
            case .success(.unknown):
                self.registry[id].map(self.abandon)
                completion(.success(.unknown))
            case .failure(let error) where error.kind == .unavailable:
                completion(.success(self.placeWithoutClaim(of: id, for: source, tried: tried, in: cluster)))
            case .failure(let error): completion(.failure(error))
            }
        }
    }

    /// Takes a session into memory that is at home here.
    private func settle(
        _ record: SessionRecord, wasMine: Bool, generation: UInt64, completion: @escaping @Sendable (Session) -> Void
    ) {
        if wasMine, let session = registry[record.id], !session.isStateless {
            session.confirm(generation: generation)
            return completion(session)
        }
        // What is in memory is from a time before another instance had it.
        registry[record.id].map(abandon)
        knownHomes.forget(record.id)
        restore(record) { session in
            session.confirm(generation: generation)
            self.restoreSharedState(of: session)
            completion(session)
        }
    }

    // MARK: Without the store

    /// The lease has lapsed: the others, if they reach the store, may have taken the session over; if none does, nobody can have.
    private func placeWithoutLease(
        of session: Session, for source: RequestSource, tried: TriedInstances, in cluster: ClusterServices
    ) -> SessionPlace {
        switch source {
        // It has asked the store, which takes this instance for alive, and this one does not: soon they agree.
        case .instance(.withStore): return .moving
        case .instance: break
        case .client: if let peer = successor(tried: tried, in: cluster) { return .elsewhere(peer) }
        }
        registry.touch(session, now: clock.now())
        return .here(session)
    }

    /// Of a session that is not at home here, as far as is known, and cannot be claimed: whether another has it in memory, or reaches the store, only
    /// the others can say.
    private func placeWithoutClaim(
        of id: SessionID, for source: RequestSource, tried: TriedInstances, in cluster: ClusterServices
    ) -> SessionPlace {
        switch (source, cluster.directory.lease) {
        case (.instance(.nobodyHasIt), .lapsed): return .here(standIn(for: id))
        case (.instance(.withoutStore), .lapsed): return .notHere
        case (.instance, _): return .moving
        case (.client, let lease):
            if let peer = successor(tried: tried, in: cluster) { return .elsewhere(peer) }
            if let session = registry[id], !session.isStateless {
                registry.touch(session, now: clock.now())
                return .here(session)
            }
            // The store is there and has yet to be made whole: whoever has the session is about to write it again. Or another may have it, or
            // soon look it up.
            guard case .lapsed = lease, tried.allAreWithout else { return .moving }
            guard let peer = standInPeer(for: id, tried: tried, in: cluster) else { return .here(standIn(for: id)) }
            return .standIn(peer)
        }
    }

    /// The instance that stands in for the home of a session, the same one whoever is asked; nil for this one.
    private func standInPeer(for id: SessionID, tried: TriedInstances, in cluster: ClusterServices) -> InstanceRecord? {
        let peers = cluster.directory.peers.filter { !$0.isDraining && !tried.isUnreachable($0) }
        let names = (peers.map(\.identity.name) + [cluster.directory.identity.name]).sorted()
        let name = names[Int(id.low % UInt64(names.count))]
        return peers.first { $0.identity.name == name }
    }

    /// A session that nobody can look up: the id says that the cluster made it, and nothing else is known of it (DESIGN decision 8). It is let go
    /// as soon as the store is back, and until then is served here and nowhere else.
    private func standIn(for id: SessionID) -> Session {
        let now = clock.now()
        if let session = registry[id] {
            registry.touch(session, now: now)
            return session
        }
        logger.warning("session served without the store: only its id is known", metadata: ["session": "\(id.shortened)"])
        let record = SessionRecord(
            id: id, clientID: "unknown", revision: .latestLegacy, server: nil, initializeParams: initializeParams(named: "unknown"),
            createdAt: now, lastSeen: now)
        return registry.insert(Session(record: record, gateway: self, isStateless: true))
    }

    // MARK: Others

    private func knownHome(of id: SessionID, in cluster: ClusterServices) -> InstanceRecord? {
        guard let identity = knownHomes[id] else { return nil }
        guard let home = cluster.directory.peers.first(where: { $0.identity == identity }) else {
            // It is gone.
            knownHomes.forget(id)
            return nil
        }
        return home
    }

    /// An instance that may be asked in this one's place; nil when there is none that was not asked already.
    private func successor(tried: TriedInstances, in cluster: ClusterServices) -> InstanceRecord? {
        let candidates = cluster.directory.peers.filter { !$0.isDraining && !tried.contains($0) }
        return candidates.randomElement()
    }

    /// Whether another instance can go on with what this one has.
    public var hasSuccessor: Bool { cluster?.directory.peers.contains { !$0.isDraining } ?? false }

    /// Whether this instance gives its sessions to others.
    public var isLeaving: Bool { isDraining && hasSuccessor }

    /// Whether sessions are at home here that another instance is to have.
    var hasSessionsToHandOver: Bool {
        hasSuccessor && (leavingSessions.load(ordering: .relaxed) > 0 || registry.all.contains { !$0.isModern })
    }

    /// Where a request that makes something new is served while this instance is on its way out; nil for here.
    public func successorForNew(tried: TriedInstances = TriedInstances()) -> InstanceRecord? {
        guard isDraining, let cluster else { return nil }
        return successor(tried: tried, in: cluster)
    }

    /// What other instances call this one; nil when there are none.
    public var instanceName: String? { cluster?.directory.identity.name }

    /// The instance of that name, if it is alive and not this one.
    public func peer(named name: String) -> InstanceRecord? { cluster?.directory.peers.first { $0.identity.name == name } }

    /// Whether an instance that a request was sent to is still alive.
    public func isAlive(_ instance: InstanceIdentity) -> Bool {
        cluster?.directory.peers.contains { $0.identity == instance } ?? false
    }

    /// What this instance can say of what it passes on.
    public var forwardReason: ForwardReason {
        guard let cluster, case .lapsed = cluster.directory.lease else { return .withStore }
        return .withoutStore
    }

    /// The session is not at home there, as an instance said; `home`: where it is, if that one knew.
    public func homeWasWrong(of id: SessionID, now home: String?) {
        guard let home, let peer = peer(named: home) else { return knownHomes.forget(id) }
        knownHomes.remember(id, at: peer.identity)
    }

    /// Another instance has served the session: whatever is in memory here is not it any more.
    public func servedElsewhere(_ id: SessionID, by instance: InstanceIdentity) {
        knownHomes.remember(id, at: instance)
        registry[id].map(abandon)
    }

    // MARK: Letting go

    /// Lets a session go that is at home elsewhere now: its processes here end, its clients connect again. The store is not touched.
    func abandon(_ session: Session) {
        guard registry.remove(session.id) != nil else { return }
        logger.info("session is at home elsewhere", metadata: ["session": "\(session.id.shortened)"])
        _ = session.leave()
    }

    /// Claims again what was claimed under an earlier lease, and lets go what others have taken over meanwhile.
    func confirmHomes() {
        guard let cluster, case .held(let generation) = cluster.directory.lease else { return }
        for session in registry.all where session.isStateless || session.leaseGeneration != generation {
            if session.isStateless {
                abandon(session)
            } else {
                // Looking for it lets it go if it is not at home here any more.
                locate(session.id, from: .instance(.withStore)) { _ in }
            }
        }
    }

    /// Gives back the sessions that have nothing in progress, so that other instances take them over. Called again and again while the
    /// gateway drains.
    func handOverQuietSessions() {
        // With nobody to take them over they are served to the end.
        guard let cluster, hasSuccessor else { return }
        let quiet = registry.all.filter { $0.isQuiet && !$0.isModern }
        guard !quiet.isEmpty else { return }
        // The last answer of a session may be on its way through the log.
        whenPassedOn {
            let leaving = quiet.filter { $0.isQuiet && self.registry.remove($0.id) != nil }
            guard !leaving.isEmpty else { return }
            self.flushTouches()
            self.leavingSessions.wrappingAdd(leaving.count, ordering: .relaxed)
            for session in leaving {
                // Its processes end before another instance may start its own.
                EventLoopFuture.andAllComplete(session.leave(), on: self.eventLoopGroup.next()).whenComplete { _ in
                    cluster.ownership.release([session.id]) { _ in
                        self.leavingSessions.wrappingSubtract(1, ordering: .relaxed)
                    }
                }
            }
        }
    }

    /// Tells shared servers what a session wants of them that came from another instance.
    private func restoreSharedState(of session: Session) {
        let (level, subscriptions) = session.state.withLockedValue { ($0.logLevel, $0.subscriptions) }
        for host in hosts(of: session) where host.isShared {
            if level != nil, let level = mostVerboseLevel, host.info?.has("logging") == true {
                _ = host.withPeer(for: session) { $0.setLogLevel(level) }
            }
            for (uri, owner) in subscriptions where owner == host.name && host.info?.has("resources", "subscribe") == true {
                _ = host.withPeer(for: session) { $0.subscribe(uri: uri) }
            }
        }
    }
}

extension Lease {
    var generation: UInt64 {
        switch self {
        case .held(let generation), .lapsed(let generation): generation
        }
    }
}
