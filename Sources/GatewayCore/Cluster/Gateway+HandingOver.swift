import NIOCore
import Synchronization

/// An instance on its way out gives its sessions to others.
extension Gateway {
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

    /// Whether another process runs under the name of this instance. It does what this one did, so this one serves nothing any more.
    public var isDisplaced: Bool { displaced.load(ordering: .relaxed) }

    func displace() {
        displaced.store(true, ordering: .relaxed)
        subscriptions.end()
        for session in registry.all { abandon(session) }
    }
}
