import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Processes of a server with `session` isolation that work for modern requests, which have no session: one request at a time each, so that it
/// is known whom the server asks for input. Between requests they wait in a pool, by what they were initialised with.
extension UpstreamHost {
    /// A process out of the pool that was initialised with those params; it works for `session` from now on.
    func takePooled(initializedWith params: ByteBuffer, for session: Session) -> UpstreamPeer? {
        state.withLockedValue { state in
            guard let peer = state.pool[params]?.popLast() else { return nil }
            if state.pool[params]?.isEmpty == true { state.pool.removeValue(forKey: params) }
            state.sessionPeers[ObjectIdentifier(peer)]?.session = session
            return peer
        }
    }

    /// A modern request is over: its process waits for the next one like it, or is stopped when it may still be at work.
    func giveBack(_ peer: UpstreamPeer, of session: Session, mayReuse: Bool) {
        let params = session.processParams
        let isPooled = state.withLockedValue { state in
            let key = ObjectIdentifier(peer)
            guard mayReuse, !state.isStopped, !peer.hasOpenCalls, state.sessionPeers[key] != nil else { return false }
            state.sessionPeers[key]?.session = nil
            state.pool[params, default: []].append(peer)
            return true
        }
        if !isPooled { release(peer).whenComplete { _ in } }
    }

    /// Stops a process that waits in the pool; false when it works for somebody.
    func stopPooled(_ peer: UpstreamPeer, unusedSince deadline: NIODeadline) -> Bool {
        let isTaken = state.withLockedValue { state in
            guard let entry = state.sessionPeers[ObjectIdentifier(peer)], entry.session == nil, !peer.hasOpenCalls,
                peer.lastUsed <= deadline
            else { return false }
            for (params, peers) in state.pool {
                let rest = peers.filter { $0 !== peer }
                if rest.count < peers.count { state.pool[params] = rest.isEmpty ? nil : rest }
            }
            return true
        }
        if isTaken { release(peer).whenComplete { _ in } }
        return isTaken
    }

    /// Sees to it that a legacy server sends log messages down to a level that a modern request asked for. Levels only ever go down: who
    /// asked for less gets less all the same.
    func ensureLogLevel(_ level: LogLevel, on peer: UpstreamPeer) {
        guard let info, info.revision.era == .legacy, info.has("logging") else { return }
        let isNew = state.withLockedValue { state in
            let key = ObjectIdentifier(peer)
            if let known = state.logLevels[key], known <= level { return false }
            state.logLevels[key] = level
            return true
        }
        if isNew { peer.setLogLevel(min(level, gateway.mostVerboseLevel ?? level)) }
    }
}

extension Session {
    /// The params that a process of the session's own is initialised with.
    var processParams: ByteBuffer { initializeParams(forRevision: isModern ? .latestLegacy : revision) }

    /// A modern request is over.
    func endModern(mayReuse: Bool) {
        let ended = state.withLockedValue {
            state -> (peers: [String: UpstreamPeer], isListener: Bool, subscribed: [String: String])? in
            // A task of it goes on.
            guard !state.holdsTask else { return nil }
            state.isEnded = true
            defer {
                state.peers.removeAll()
                state.inputs.removeAll()
                state.subscriptions.removeAll()
                state.unsolicited = nil
            }
            return (state.peers, state.unsolicited != nil, state.subscriptions)
        }
        guard let (peers, isListener, subscribed) = ended else { return }
        if isListener { gateway.listenerEnded(self, subscriptions: subscribed) }
        for (name, peer) in peers {
            if let host = gateway.host(named: name) {
                host.giveBack(peer, of: self, mayReuse: mayReuse && subscribed.isEmpty)
            } else {
                peer.stop().whenComplete { _ in }
            }
        }
    }
}
