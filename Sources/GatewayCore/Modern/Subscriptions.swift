import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What a modern client listens to: one `subscriptions/listen` (2026-07-28, basic/patterns/subscriptions).
///
/// To the rest of the gateway it is a session that takes unsolicited messages: lists that change and resources that are updated reach it as
/// they reach legacy sessions.
final class Subscription: UnsolicitedSink {
    let exchange: Exchange
    /// The kinds of list changes that were asked for.
    private let listChanges: Set<MCPProtocol.Method>
    private let state = NIOLockedValueBox(State())

    private struct State {
        /// The client's ids of the tasks that it is told of.
        var tasks: [TaskOwner.Key: String] = [:]
        var isAcknowledged = false
        /// What came before the acknowledgement was out.
        var waiting: [ByteBuffer] = []
    }

    init(exchange: Exchange, listChanges: Set<MCPProtocol.Method>) {
        self.exchange = exchange
        self.listChanges = listChanges
    }

    func send(_ message: ByteBuffer) {
        let isReady = state.withLockedValue { state in
            if !state.isAcknowledged { state.waiting.append(message) }
            return state.isAcknowledged
        }
        if isReady { pass(message) }
    }

    /// What it tells of tasks begins, or ends (nil).
    func setTask(_ key: TaskOwner.Key, to id: String?) { state.withLockedValue { $0.tasks[key] = id } }

    /// The client's id of a task that it is told of.
    func id(of key: TaskOwner.Key) -> String? { state.withLockedValue { $0.tasks[key] } }

    var tasks: [TaskOwner.Key] { state.withLockedValue { Array($0.tasks.keys) } }

    /// The first message; what came meanwhile follows it.
    func acknowledge(_ filter: ByteBuffer) {
        var params = ByteBuffer(string: "{\"_meta\":{")
        writeID(to: &params)
        params.writeStaticString("},\"notifications\":")
        params.writeImmutableBuffer(filter)
        params.writeStaticString("}")
        _ = exchange.emit(
            .notification(MessageWriter.notification(method: MCPProtocol.Method.subscriptionsAcknowledged.name, params: params)))
        while true {
            let waiting = state.withLockedValue { state in
                defer { state.waiting.removeAll() }
                if state.waiting.isEmpty { state.isAcknowledged = true }
                return state.waiting
            }
            if waiting.isEmpty { return }
            for message in waiting { pass(message) }
        }
    }

    /// Ends it in an orderly way ("Graceful Closure").
    func end() {
        var result = ByteBuffer(string: "{\"resultType\":\"complete\",\"_meta\":{")
        writeID(to: &result)
        result.writeStaticString(",\"io.modelcontextprotocol/serverInfo\":")
        result.writeImmutableBuffer(exchange.session.gateway.ownInfo)
        result.writeStaticString("}}")
        exchange.succeed(complete: result)
    }

    private func pass(_ bytes: ByteBuffer) {
        guard let message = try? Message.parse(bytes), message.kind == .notification else { return }
        switch message.methodName {
        case .toolsListChanged, .promptsListChanged, .resourcesListChanged:
            guard listChanges.contains(message.methodName) else { return }
        case .resourcesUpdated, .taskNotification: break
        // Nothing that was not asked for ("Opening a Stream").
        default: return
        }
        var id = ByteBuffer()
        writeID(to: &id)
        var tagged = ByteBuffer()
        tagged.write(bytes, splicing: message.metaInsertion(of: id).map { [$0] } ?? [])
        _ = exchange.emit(.notification(tagged))
    }

    private func writeID(to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\"io.modelcontextprotocol/subscriptionId\":")
        buffer.writeImmutableBuffer(exchange.idBytes)
    }
}

/// All that modern clients listen to.
final class Subscriptions: Sendable {
    private let all = NIOLockedValueBox<[SessionID: Subscription]>([:])
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { all.withLockedValue { $0.count } }

    /// False when there are as many as may be.
    func add(_ subscription: Subscription) -> Bool {
        all.withLockedValue { all in
            guard all.count < limit else { return false }
            all[subscription.exchange.session.id] = subscription
            return true
        }
    }

    @discardableResult
    func remove(_ id: SessionID) -> Subscription? { all.withLockedValue { $0.removeValue(forKey: id) } }

    /// Those that are told of a task.
    func listeners(to key: TaskOwner.Key) -> [Subscription] {
        all.withLockedValue { Array($0.values) }.filter { $0.id(of: key) != nil }
    }

    /// The tasks that anybody is told of.
    var everyTask: [TaskOwner.Key] { all.withLockedValue { Array($0.values) }.flatMap(\.tasks) }

    /// Ends every one: the gateway stops.
    func end() {
        for subscription in all.withLockedValue({ Array($0.values) }) { subscription.end() }
    }
}

extension Gateway {
    /// Ends all that modern clients listen to, in an orderly way (2026-07-28, basic/patterns/subscriptions, "Graceful Closure").
    public func endSubscriptions() { subscriptions.end() }

    func listen(_ exchange: Exchange) {
        let json = exchange.request.json
        let filter = exchange.request.param("notifications")
        func invalid(_ reason: String) {
            exchange.fail(.invalidParams, "subscriptions/listen: \(reason)")
        }
        guard json.isObject(filter) else { return invalid("params.notifications must be an object") }
        var asked: Set<MCPProtocol.Method> = []
        for (name, method) in SubscriptionFilter.lists {
            let flag = json.member(name, of: filter)
            guard !flag.isPresent || json.isTrue(flag) || json.equals(flag, "false") else {
                return invalid("params.notifications.\(name) must be true or false")
            }
            if json.isTrue(flag) { asked.insert(method) }
        }
        let changes = asked
        let list = json.member("resourceSubscriptions", of: filter)
        let spans = json.elements(of: list)
        let uris = spans.compactMap { json.string($0) }
        guard !list.isPresent || json.firstByte(list) == UInt8(ascii: "["), uris.count == spans.count else {
            return invalid("params.notifications.resourceSubscriptions must be an array of strings")
        }
        guard uris.count <= settings.maxRememberedPerSession else {
            return invalid("at most \(settings.maxRememberedPerSession) resources can be subscribed to at once")
        }
        let taskList = json.member("taskIds", of: filter)
        let taskSpans = json.elements(of: taskList)
        let tasks = taskSpans.compactMap { json.string($0) }
        guard !taskList.isPresent || json.firstByte(taskList) == UInt8(ascii: "["), tasks.count == taskSpans.count else {
            return invalid("params.notifications.taskIds must be an array of strings")
        }
        guard tasks.count <= settings.maxRememberedPerSession else {
            return invalid("at most \(settings.maxRememberedPerSession) tasks can be listened to at once")
        }
        guard tasks.isEmpty || exchange.session.declaresTasks else {
            return exchange.fail(tasksNotDeclared("subscriptions/listen with taskIds"))
        }
        guard !isDraining else {
            return exchange.fail(.draining, "the gateway is shutting down; try again")
        }
        let session = exchange.session
        let subscription = Subscription(exchange: exchange, listChanges: changes)
        guard subscriptions.add(subscription) else {
            LimitHits.count(.maxSubscriptions)
            return exchange.fail(
                .limit(.maxSubscriptions, retryAfter: 1),
                "\(settings.maxSubscriptions) clients listen already (limits.maxSubscriptions); try again later")
        }
        session.setUnsolicitedSink(subscription)
        _ = registry.insert(session)
        // It may have been taken back, or the gateway may have begun to stop, before it was listed.
        guard !exchange.isOver, !isDraining else {
            subscription.end()
            return session.endModern(mayReuse: false)
        }
        subscribe(to: Array(Set(uris)).sorted(), session: session, context: exchange.context) { agreed in
            let flags = SubscriptionFilter.lists.filter { changes.contains($0.method) }.map(\.name)
            self.listen(to: Array(Set(tasks)).sorted(), for: subscription) { agreedTasks in
                subscription.acknowledge(
                    SubscriptionFilter.json(
                        flags: flags, uris: list.isPresent ? uris.filter { agreed.contains($0) } : nil,
                        taskIDs: taskList.isPresent ? tasks.filter { agreedTasks.contains($0) } : nil))
            }
        }
    }

    /// Subscribes to resources for a listener; those whose servers do not take part are left out.
    private func subscribe(
        to uris: [String], session: Session, context: RequestContext, completion: @escaping @Sendable (Set<String>) -> Void
    ) {
        guard !uris.isEmpty else { return completion([]) }
        let outcome = NIOLockedValueBox((agreed: Set<String>(), left: uris.count))
        for uri in uris {
            let bytes = MessageWriter.request(
                id: 0, method: MCPProtocol.Method.resourcesSubscribe.name, params: UpstreamPeer.params(uri: uri))
            let sink = OutcomeSink { isAgreed in
                let agreed = outcome.withLockedValue { outcome -> Set<String>? in
                    if isAgreed { outcome.agreed.insert(uri) }
                    outcome.left -= 1
                    return outcome.left == 0 ? outcome.agreed : nil
                }
                if let agreed { completion(agreed) }
            }
            guard let request = try? Message.parse(bytes) else { continue }
            route(begin(request, in: session, context: context, sink: sink))
        }
    }

    /// A listener is gone: what nobody else wants is not asked of servers any more.
    func listenerEnded(_ session: Session, subscriptions uris: [String: String]) {
        if let subscription = subscriptions.remove(session.id) { stopListening(to: subscription.tasks) }
        registry.remove(session.id)
        for (uri, owner) in uris {
            guard let host = host(named: owner), host.isShared,
                !registry.all.contains(where: { $0.isSubscribed(to: uri) })
            else { continue }
            _ = host.withPeer(for: session) { $0.unsubscribe(uri: uri) }
        }
    }
}

/// Hears whether a request of the gateway's own went well.
private final class OutcomeSink: ExchangeSink {
    private let completion: @Sendable (Bool) -> Void
    init(_ completion: @escaping @Sendable (Bool) -> Void) { self.completion = completion }
    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        switch event {
        case .result: completion(true)
        case .error, .cancelled: completion(false)
        case .notification, .inputRequired: return
        }
    }
}
