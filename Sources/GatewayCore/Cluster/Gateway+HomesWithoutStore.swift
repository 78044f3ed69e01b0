import Logging
import MCPProtocol

/// Where sessions are served that cannot be looked up, because nobody reaches the store or this instance does not. (DESIGN decision 8;
/// docs/architecture.md, "Many instances".)
extension Gateway {
    /// The lease has lapsed: the others, if they reach the store, may have taken the session over; if none does, nobody can have.
    func placeWithoutLease(
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
    ///
    /// - Throws: when this instance is to stand in for its home, and has as many sessions in memory as there may be.
    func placeWithoutClaim(
        of id: SessionID, for source: RequestSource, tried: TriedInstances, _ traits: SessionTraits, in cluster: ClusterServices
    ) throws(StoreError) -> SessionPlace {
        switch (source, cluster.directory.lease) {
        case (.instance(.nobodyHasIt), .lapsed): return .here(try standIn(for: id, traits))
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
            guard case .lapsed = lease, tried.allAreWithout, !cluster.directory.peers.contains(where: isSilent) else { return .moving }
            guard let peer = standInPeer(for: id, tried: tried, in: cluster) else { return .here(try standIn(for: id, traits)) }
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
    private func standIn(for id: SessionID, _ traits: SessionTraits) throws(StoreError) -> Session {
        let now = clock.now()
        if let session = registry[id] {
            registry.touch(session, now: now)
            return session
        }
        // No store counts them, and ids stay genuine when their sessions are long over.
        guard registry.count < settings.maxSessions else {
            LimitHits.count(.maxSessions)
            throw StoreError(
                operation: "serve session \(id.shortened) without the store",
                reason: "there are \(settings.maxSessions) sessions in memory already (sessions.maxSessions)", kind: .unavailable)
        }
        lines.standsIn.write(["session": "\(id.shortened)"])
        let record = SessionRecord(
            id: id, clientID: "unknown", revision: traits.revision, server: traits.server,
            initializeParams: initializeParams(named: "unknown"),
            createdAt: now, lastSeen: now)
        return registry.insert(Session(record: record, gateway: self, isStateless: true))
    }
}
