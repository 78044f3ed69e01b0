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
    ///   - traits: what is taken for the session's when nobody can look it up.
    public func locate(
        _ id: SessionID, from source: RequestSource = .client, tried: TriedInstances = TriedInstances(),
        traits: SessionTraits = SessionTraits(),
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
            case .held: return claim(id, for: source, tried: tried, traits, in: cluster, completion: completion)
            case .lapsed: return completion(.success(placeWithoutLease(of: session, for: source, tried: tried, in: cluster)))
            }
        }
        // Of what is known there was a session.
        if source.isClient, let home = knownHome(of: id, in: cluster), !tried.contains(home), !isSilent(home) {
            return completion(.success(.elsewhere(home)))
        }
        guard authority.isGenuine(id) else { return completion(.success(.unknown)) }
        // On its way out it takes nothing over.
        guard !isDraining else {
            return completion(
                Result { () throws(StoreError) in try placeWithoutClaim(of: id, for: source, tried: tried, traits, in: cluster) })
        }
        claim(id, for: source, tried: tried, traits, in: cluster, completion: completion)
    }

    private func claim(
        _ id: SessionID, for source: RequestSource, tried: TriedInstances, _ traits: SessionTraits, in cluster: ClusterServices,
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
                completion(
                    Result { () throws(StoreError) in try self.placeWithoutClaim(of: id, for: source, tried: tried, traits, in: cluster) })
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

    // MARK: Homes elsewhere

    private func knownHome(of id: SessionID, in cluster: ClusterServices) -> InstanceRecord? {
        guard let identity = knownHomes[id] else { return nil }
        guard let home = cluster.directory.peers.first(where: { $0.identity == identity }) else {
            // It is gone.
            knownHomes.forget(id)
            return nil
        }
        return home
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

    /// Lets a session go that is at home elsewhere now: its processes here end, its clients connect again. The store is not touched.
    func abandon(_ session: Session) {
        guard registry.remove(session.id) != nil else { return }
        lines.isElsewhere.write(["session": "\(session.id.shortened)"])
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
}

extension Lease {
    var generation: UInt64 {
        switch self {
        case .held(let generation), .lapsed(let generation): generation
        }
    }
}
