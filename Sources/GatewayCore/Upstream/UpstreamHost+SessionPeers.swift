import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Which conversation works for which session; with `session` isolation each session has its own process, made and stopped here.
extension UpstreamHost {
    /// Runs `body` with the conversation a session's requests go to. It is made, not started, when there is none, and is not stopped for
    /// being idle before `body` has returned.
    func withPeer<Value>(for session: Session, _ body: (UpstreamPeer) -> Value) -> Result<Value, ExchangeFailure> {
        if isShared {
            guard let main = state.withLockedValue({ $0.main }) else { return .failure(notRunningError) }
            return .success(body(main))
        }
        return sessionPeer(session).map { peer in
            defer { peer.release() }
            return body(peer)
        }
    }

    private var notRunningError: ExchangeFailure { ExchangeFailure(.upstreamUnavailable, "upstream \"\(name)\" is not running") }

    /// The session's own conversation, retained.
    private func sessionPeer(_ session: Session) -> Result<UpstreamPeer, ExchangeFailure> {
        if let peer = retainedPeer(of: session) { return .success(peer) }
        let params = session.processParams
        let pooled = session.isModern ? takePooled(initializedWith: params, for: session) : nil
        let fresh = pooled ?? makePeer(params: params, restarts: false)
        if pooled == nil, let refusal = makeRoom(for: fresh, of: session) { return .failure(refusal) }
        let peer = session.state.withLockedValue { state -> UpstreamPeer? in
            guard !state.isEnded else { return nil }
            let peer = state.peers[name] ?? fresh
            state.peers[name] = peer
            peer.retain()
            return peer
        }
        if peer !== fresh {
            state.withLockedValue { _ = $0.sessionPeers.removeValue(forKey: ObjectIdentifier(fresh)) }
            if pooled != nil { fresh.stop().whenComplete { _ in } }
        }
        return peer.map { .success($0) } ?? .failure(ExchangeFailure(.sessionEnded, "the session has ended"))
    }

    private func retainedPeer(of session: Session) -> UpstreamPeer? {
        session.state.withLockedValue { state in
            let peer = state.peers[name]
            // Under the lock that takes an idle one away.
            peer?.retain()
            return peer
        }
    }

    /// Counts `fresh` among the processes; when there are as many as may be, the one that was idle longest is stopped. (It ends while the
    /// new one starts: for that moment there is one more.)
    ///
    /// - Returns: why there is no room.
    private func makeRoom(for fresh: UpstreamPeer, of session: Session) -> ExchangeFailure? {
        let limit = definition.maxSessionProcesses
        var isFull = false
        while true {
            let outcome = state.withLockedValue { state -> Bool? in
                guard !state.isStopped else { return nil }
                guard state.sessionPeers.count < limit else { return false }
                state.sessionPeers[ObjectIdentifier(fresh)] = SessionPeer(peer: fresh, session: session)
                return true
            }
            guard let hasRoom = outcome else { return notRunningError }
            if hasRoom { return nil }
            if !isFull { LimitHits.count(.maxSessionProcesses) }
            isFull = true
            guard stopLongestIdle() else {
                return ExchangeFailure(
                    .limit(.maxSessionProcesses, retryAfter: 1),
                    "upstream \"\(name)\" works for \(limit) sessions and none of its processes is idle (limits.maxSessionProcesses); try again later"
                )
            }
        }
    }

    /// Stops the process whose last request is longest ago. False when none is idle.
    private func stopLongestIdle() -> Bool {
        let idle = state.withLockedValue { Array($0.sessionPeers.values) }.filter { !$0.peer.hasOpenCalls }
        for entry in idle.sorted(by: { $0.peer.lastUsed < $1.peer.lastUsed }) where take(entry, mayHaveTasks: false) {
            logger.info("idle process of a session stopped to make room for another", metadata: ["upstream": "\(name)"])
            return true
        }
        return false
    }

    /// Stops a session's own process unless it is needed; the session's next request makes a new one.
    private func take(_ entry: SessionPeer, unusedSince deadline: NIODeadline = .distantFuture, mayHaveTasks: Bool) -> Bool {
        guard let session = entry.session else { return stopPooled(entry.peer, unusedSince: deadline) }
        let isTaken = session.state.withLockedValue { state in
            // A subscription needs its process, and so does a task; of tasks nobody knows when they are over.
            guard state.peers[name] === entry.peer, !entry.peer.hasOpenCalls, entry.peer.lastUsed <= deadline,
                !state.subscriptions.values.contains(name), mayHaveTasks || !state.holdsTask && !state.tasks.values.contains(name)
            else { return false }
            state.peers.removeValue(forKey: name)
            return true
        }
        guard isTaken else { return false }
        session.dropInputs(of: entry.peer)
        release(entry.peer).whenComplete { _ in }
        return true
    }

    /// The session whose own conversation `peer` is.
    func session(of peer: UpstreamPeer) -> Session? {
        state.withLockedValue { $0.sessionPeers[ObjectIdentifier(peer)]?.session }
    }

    /// Ends a session's own conversation.
    func release(_ peer: UpstreamPeer) -> EventLoopFuture<Void> {
        state.withLockedValue { _ = $0.sessionPeers.removeValue(forKey: ObjectIdentifier(peer)) }
        return peer.stop()
    }

    /// Stops processes that nobody used for the idle time.
    func reapIdle() {
        guard !isShared else { return }
        let (peers, main) = state.withLockedValue { (Array($0.sessionPeers.values), $0.main) }
        if let main { _ = main.stopIfIdle(for: definition.idleTimeout) }
        for entry in peers
        where take(entry, unusedSince: entry.peer.eventLoop.now - definition.idleTimeout, mayHaveTasks: true) {
            logger.info("idle process of a session stopped", metadata: ["upstream": "\(name)"])
        }
    }
}
