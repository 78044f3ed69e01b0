import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Who is told of the state of tasks: modern clients that listen to `taskIds`, and sessions of 2025-11-25 that own them.
extension Gateway {
    /// A modern client listens to tasks.
    ///
    /// - Parameter completion: called once with the ids of those that it will be told of.
    func listen(to ids: [String], for subscription: Subscription, completion: @escaping @Sendable (Set<String>) -> Void) {
        guard !ids.isEmpty else { return completion([]) }
        let outcome = NIOLockedValueBox((agreed: Set<String>(), left: ids.count))
        for id in ids {
            listen(to: id, for: subscription) { isAgreed in
                let agreed = outcome.withLockedValue { outcome -> Set<String>? in
                    if isAgreed { outcome.agreed.insert(id) }
                    outcome.left -= 1
                    return outcome.left == 0 ? outcome.agreed : nil
                }
                if let agreed { completion(agreed) }
            }
        }
    }

    private func listen(to id: String, for subscription: Subscription, completion: @escaping @Sendable (Bool) -> Void) {
        let session = subscription.exchange.session
        guard let (host, own) = owner(ofTask: id, server: session.server) else { return completion(false) }
        whenSettled(server: host.name) {
            let key = TaskOwner.Key(server: host.name, id: own)
            guard host.hasTasks, !subscription.exchange.isOver else { return completion(false) }
            // Before the server is asked, so that what comes with its answer finds its way.
            subscription.setTask(key, to: id)
            let refuse: @Sendable () -> Void = {
                subscription.setTask(key, to: nil)
                completion(false)
            }
            if host.isModern {
                let asked = host.withPeer(for: session) { peer in
                    peer.listen(to: .task(own), within: host.definition.callTimeout) { $0 ? completion(true) : refuse() }
                }
                if case .failure = asked { refuse() }
                return
            }
            guard let (owner, held) = self.modernTask(own, at: host, for: session) else { return refuse() }
            (held?.current() ?? owner.state(isDetailed: true).map(\.withoutInput)).whenComplete { result in
                guard case .success(let state) = result else { return refuse() }
                self.taskWatches.watch(owner, held: held, known: state)
                completion(true)
            }
        }
    }

    /// The server of a task, and its own id of it, by a modern client's.
    private func owner(ofTask id: String, server: String?) -> (UpstreamHost, String)? {
        if let server { return host(named: server).map { ($0, id) } }
        guard let separator = id.utf8.firstSeparator, let host = host(named: String(id[..<separator.lowerBound])) else { return nil }
        return (host, String(id[separator.upperBound...]))
    }

    /// A listener is gone: what nobody else listens to is not asked of modern servers any more. Legacy servers' tasks are looked at as long as
    /// somebody listens.
    func stopListening(to keys: [TaskOwner.Key]) {
        for key in keys where subscriptions.listeners(to: key).isEmpty {
            guard let host = host(named: key.server), host.isModern,
                !registry.all.contains(where: { $0.upstream(ofTask: key.id) == host.name })
            else { continue }
            host.state.withLockedValue { $0.main }?.stopListening(to: .task(key.id))
        }
    }

    /// Tells the modern clients that listen to a task what it has come to.
    func tell(of state: TaskState, key: TaskOwner.Key) {
        for listener in subscriptions.listeners(to: key) {
            guard let id = listener.id(of: key) else { continue }
            listener.send(MessageWriter.notification(method: MCPProtocol.Method.taskNotification.name, params: state.modern(id: id)))
        }
    }

    /// A modern server tells of a task: modern clients get what it says, those of 2025-11-25 their `notifications/tasks/status`.
    func receiveTask(_ notification: Message, of host: UpstreamHost) {
        let json = notification.json
        let span = notification.param("taskId")
        guard let id = json.string(span) else { return }
        let key = TaskOwner.Key(server: host.name, id: id)
        for listener in subscriptions.listeners(to: key) {
            guard let own = listener.id(of: key) else { continue }
            var bytes = ByteBuffer()
            bytes.write(notification.bytes, splicing: own == id ? [] : [Splice(span, .string(own))])
            listener.send(bytes)
        }
        guard let state = TaskState(notification.params, in: json, era: .modern) else { return }
        let status = MessageWriter.notification(method: MCPProtocol.Method.tasksStatus.name, params: state.legacy())
        for session in registry.all where !session.isModern && session.upstream(ofTask: id) == host.name {
            session.sendUnsolicited(status)
        }
        // Nothing follows, so nothing more is asked for.
        guard state.status.isTerminal else { return }
        host.state.withLockedValue { $0.main }?.stopListening(to: .task(id))
    }
}
