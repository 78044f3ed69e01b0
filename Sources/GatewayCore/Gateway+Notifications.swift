public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What clients send besides requests, and what shared upstreams say by themselves.
extension Gateway {
    /// Takes a notification or a response of the client's.
    public func accept(_ message: Message, in session: Session) {
        switch message.kind {
        case .response, .errorResponse:
            // An answer nobody waits for: its server is gone, or took the request back.
            _ = session.answerInput(message)
        case .notification: acceptNotification(message, in: session)
        case .request: break
        }
    }

    private func acceptNotification(_ message: Message, in session: Session) {
        switch message.methodName {
        case .initialized:
            sessions.setAttribute(.initialized, of: session.id, to: ByteBuffer(string: "true"), completion: nil)
        case .cancelled:
            let key = RequestKey(message.routing.requestID, in: message.json)
            let reason = message.param("reason")
            // Only a string: it is written into a message for the upstream.
            let isString = message.json.firstByte(reason) == UInt8(ascii: "\"")
            session.exchange(for: key)?.cancel(reason: isString ? message.json.slice(reason) : nil)
        case .progress:
            session.forwardInputProgress(message)
        case .rootsListChanged:
            forwardToOwnPeers(message, of: session)
        case .tasksStatus:
            forwardToOwnPeers(message, of: session)
        default:
            forwardToOwnPeers(message, of: session)
            for host in hosts(of: session) where host.isShared {
                _ = host.withPeer(for: session) { $0.notify(oneLine(message)) }
            }
        }
    }

    private func forwardToOwnPeers(_ message: Message, of session: Session) {
        let bytes = oneLine(message)
        for peer in session.state.withLockedValue({ $0.peers }).values { peer.notify(bytes) }
    }

    private func oneLine(_ message: Message) -> ByteBuffer {
        var bytes = message.bytes
        if message.hasLineBreaks { bytes.replaceLineBreaks() }
        return bytes
    }

    // MARK: From shared upstreams

    /// Tells a shared server that was started (again) what sessions want of it.
    func restoreUpstreamState(on peer: UpstreamPeer, host: UpstreamHost, info: UpstreamInfo) {
        if let level = mostVerboseLevel, info.has("logging") { peer.setLogLevel(level) }
        guard info.has("resources", "subscribe") else { return }
        var uris = Set<String>()
        for session in registry.all {
            session.state.withLockedValue { state in
                for (uri, owner) in state.subscriptions where owner == host.name { uris.insert(uri) }
            }
        }
        for uri in uris.sorted() { peer.subscribe(uri: uri) }
    }

    /// Tells a modern server that was started (again) of which tasks clients want to hear.
    func restoreTasks(on peer: UpstreamPeer, host: UpstreamHost) {
        let keys = Set(subscriptions.everyTask.filter { $0.server == host.name })
        for key in keys { peer.onLoop { peer.listen(to: .task(key.id), core: $0) } }
    }

    /// A notification of a server that sessions share: it does not say whom it is for.
    func receiveShared(_ notification: Message, method: MCPProtocol.Method, from peer: UpstreamPeer, host: UpstreamHost) {
        let inScope = { (session: Session) in session.server == nil || session.server == host.name }
        switch method {
        case .resourcesUpdated:
            guard let uri = notification.json.string(notification.param("uri")) else { return }
            send(notification, from: peer) { inScope($0) && $0.isSubscribed(to: uri) }
        case .tasksStatus:
            guard let task = notification.json.string(notification.param("taskId")) else { return }
            send(notification, from: peer) { $0.upstream(ofTask: task) == host.name }
        case .taskNotification where host.isModern: receiveTask(notification, of: host)
        case .progress, .cancelled:
            // Of a request that is over.
            return
        default:
            // It belongs to a request in progress: certainly so when all of them are one session's, else to nobody in particular. What
            // one session's call made the server say is then not shown to the others.
            let exchanges = peer.openExchanges()
            guard let first = exchanges.first, exchanges.allSatisfy({ $0.session === first.session }) else {
                guard exchanges.isEmpty else { return }
                // Log messages only to those that asked for a level.
                return send(notification, from: peer) { session in
                    inScope(session) && session.connectedStreams > 0
                        && (method != .loggingMessage || session.hasLogLevel && session.wants(notification))
                }
            }
            guard method != .loggingMessage || first.session.wants(notification) else { return }
            _ = peer.newestExchange()?.emit(.notification(notification.bytes))
        }
    }

    private func send(_ notification: Message, from peer: UpstreamPeer, to isMeant: (Session) -> Bool) {
        var recipients = 0
        for session in registry.all where isMeant(session) {
            session.sendUnsolicited(notification.bytes)
            recipients += 1
        }
        // The peer counts it once in any case.
        if recipients > 1 { peer.passedOn(messages: recipients - 1, bytes: (recipients - 1) * notification.bytes.readableBytes) }
    }

    // MARK: Fences

    /// Runs `body` when everything that was given to exchanges and streams before has gone through the event loops and the event log.
    func whenPassedOn(_ body: @escaping @Sendable () -> Void) {
        // From the upstream's loop to those of the clients' connections, from there through the log, and from the log to the loops again.
        onEveryLoop { self.events.barrier { self.onEveryLoop(body) } }
    }

    /// Runs `body` once when every event loop has done what it had to do before.
    private func onEveryLoop(_ body: @escaping @Sendable () -> Void) {
        let loops = Array(eventLoopGroup.makeIterator())
        let left = NIOLockedValueBox(loops.count)
        for loop in loops {
            loop.execute {
                let isLast = left.withLockedValue { left in
                    left -= 1
                    return left == 0
                }
                if isLast { body() }
            }
        }
    }
}
