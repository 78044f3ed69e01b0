import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// A configured upstream with all its conversations: the shared one, or one per session and one to learn what it offers.
final class UpstreamHost: Sendable {
    let definition: UpstreamDefinition
    unowned let gateway: Gateway
    let requestCounters: RequestCounters
    let metrics: UpstreamMetrics
    let logger: Logger
    let state: NIOLockedValueBox<State>
    /// What its conversations have found out.
    let knownEra = KnownEra()
    /// When it was configured: clients wait for a start only so long after that.
    let createdAt: NIODeadline

    struct State {
        /// `mcpServers.<name>.required`; a reload changes it without a restart.
        var isRequired: Bool
        /// The shared conversation; with `session` isolation the one that the catalogue is read from.
        var main: UpstreamPeer?
        var sessionPeers: [ObjectIdentifier: SessionPeer] = [:]
        /// Of `sessionPeers` those that wait for a modern request, by what they were initialised with.
        var pool: [ByteBuffer: [UpstreamPeer]] = [:]
        /// The lowest level that modern requests asked a process for.
        var logLevels: [ObjectIdentifier: LogLevel] = [:]
        var catalogue = UpstreamCatalogue()
        var info: UpstreamInfo?
        /// The first attempt to learn the catalogue is over, well or not.
        var isSettled = false
        var waiters: [@Sendable () -> Void] = []
        /// Wait until it is known which era the server is of.
        var eraWaiters: [@Sendable () -> Void] = []
        var failure: String?
        var isStopped = false
        /// Peers whose lists are being read, with the kinds that changed meanwhile.
        var refreshing: [ObjectIdentifier: Set<CatalogueKind>] = [:]
        /// Lists that are being read because their time was over.
        var freshening: [CatalogueKind: EventLoopFuture<Void>] = [:]
    }

    struct SessionPeer {
        let peer: UpstreamPeer
        weak var session: Session?
    }

    /// - Parameter predecessor: the host of the same name that it replaces. Its lists are shown until the new ones are known, so that
    ///   a change of the configuration does not make tools vanish for a moment.
    init(definition: UpstreamDefinition, gateway: Gateway, replacing predecessor: UpstreamHost?) {
        var state = State(isRequired: definition.required)
        if let predecessor { state.catalogue = predecessor.catalogue }
        self.state = NIOLockedValueBox(state)
        self.definition = definition
        self.gateway = gateway
        requestCounters = RequestCounters(upstream: definition.name)
        logger = gateway.upstreamLogger
        metrics = UpstreamMetrics(upstream: definition.name)
        createdAt = gateway.eventLoopGroup.next().now
    }

    var name: String { definition.name }
    var info: UpstreamInfo? { state.withLockedValue { $0.info } }
    var catalogue: UpstreamCatalogue { state.withLockedValue { $0.catalogue } }
    var isSettled: Bool { state.withLockedValue { $0.isSettled } }
    var failure: String? { state.withLockedValue { $0.failure } }
    /// Whether some of its tools run as tasks of 2025-11-25: not known before it has told of them.
    var mayHaveTaskTools: Bool { state.withLockedValue { !$0.isSettled || !$0.catalogue.taskSupport.isEmpty } }

    var figures: UpstreamFigures {
        let (isReady, failure, isRequired) = state.withLockedValue { ($0.info != nil && $0.failure == nil, $0.failure, $0.isRequired) }
        return UpstreamFigures(
            name: name, isReady: isReady, failure: failure, required: isRequired, inFlight: metrics.inFlight,
            queuedBytes: metrics.queuedBytes, processes: metrics.processes)
    }

    /// Takes over what of a new definition needs no new process.
    func adopt(_ definition: UpstreamDefinition) { state.withLockedValue { $0.isRequired = definition.required } }

    /// Starts the conversation that the catalogue comes from.
    func start() {
        let peer = makePeer(params: gateway.ownInitializeParams, restarts: definition.isolation == .shared)
        state.withLockedValue { $0.main = peer }
        peer.start()
    }

    func makePeer(params: ByteBuffer, restarts: Bool) -> UpstreamPeer {
        let settings = UpstreamPeerSettings(
            initializeParams: params, handshakeTimeout: definition.handshakeTimeout, maxInFlight: definition.maxInFlight,
            restartsByItself: restarts, era: definition.era, probeTimeout: definition.probeTimeout, knownEra: knownEra)
        return UpstreamPeer(
            name: name, settings: settings, factory: definition.factory, eventLoop: gateway.eventLoopGroup.next(),
            backoff: RestartBackoff(policy: definition.backoff), logger: logger, owner: self, metrics: metrics)
    }

    func stop() -> EventLoopFuture<Void> {
        let (peers, waiters) = state.withLockedValue { state in
            state.isStopped = true
            state.isSettled = true
            defer {
                state.waiters.removeAll()
                state.eraWaiters.removeAll()
                state.sessionPeers.removeAll()
                state.pool.removeAll()
            }
            return ([state.main].compactMap { $0 } + state.sessionPeers.values.map(\.peer), state.eraWaiters + state.waiters)
        }
        waiters.forEach { $0() }
        return EventLoopFuture.andAllSucceed(peers.map { $0.stop() }, on: gateway.eventLoopGroup.next())
    }

    /// Runs `body` once the first attempt to learn the catalogue is over; at once when it is.
    func whenSettled(_ body: @escaping @Sendable () -> Void) {
        let isSettled = state.withLockedValue { state in
            if !state.isSettled { state.waiters.append(body) }
            return state.isSettled
        }
        if isSettled { body() }
    }

    private func settle() {
        let waiters = state.withLockedValue { state in
            state.isSettled = true
            defer {
                state.waiters.removeAll()
                state.eraWaiters.removeAll()
            }
            return state.eraWaiters + state.waiters
        }
        waiters.forEach { $0() }
    }

    // MARK: Catalogue

    /// Reads changed lists again. While that goes on, further changes are remembered and read once: a server that announces changes
    /// faster than it answers costs no more than its own speed.
    private func refreshOnce(_ kinds: [CatalogueKind], from peer: UpstreamPeer) {
        guard !kinds.isEmpty else { return }
        let key = ObjectIdentifier(peer)
        let isRunning = state.withLockedValue { state in
            guard let due = state.refreshing[key] else {
                state.refreshing[key] = []
                return false
            }
            state.refreshing[key] = due.union(kinds)
            return true
        }
        guard !isRunning else { return }
        refresh(kinds, from: peer).whenComplete { result in
            let said = Set(kinds.map(\.listChanged))
            if let session = self.session(of: peer) {
                for method in said.sorted(by: { $0.name < $1.name }) { session.sendListChanged(method) }
            } else {
                // What the server says is passed on, also when its list is the same (again).
                let told = Set(((try? result.get()) ?? []).map(\.listChanged))
                self.gateway.listsChanged(said.subtracting(told), of: self)
            }
            let due = self.state.withLockedValue { $0.refreshing.removeValue(forKey: key) } ?? []
            self.refreshOnce(CatalogueKind.allCases.filter { due.contains($0) }, from: peer)
        }
    }

    /// Reads lists again and tells the gateway what is new.
    ///
    /// - Returns: those that are not what they were, of which clients have been told.
    func refresh(_ kinds: [CatalogueKind], from peer: UpstreamPeer) -> EventLoopFuture<[CatalogueKind]> {
        let reads = kinds.map { kind in
            CatalogueFetcher.fetch(kind, from: peer).map { (kind, $0) }.flatMapError { error in
                self.logger.warning(
                    "upstream did not give its list",
                    metadata: ["upstream": "\(self.name)", "list": "\(kind.listMethod.name)", "error": "\(error)"])
                return peer.eventLoop.makeFailedFuture(error)
            }
        }
        return EventLoopFuture.whenAllComplete(reads, on: peer.eventLoop).map { results in
            let isModern = peer.currentInfo()?.era == .modern
            let now = peer.eventLoop.now
            let lists = results.compactMap { try? $0.get() }
            let fetched = lists.map { kind, list in (kind, kind == .tools ? peer.callable(list.entries) : list.entries) }
            if let session = self.session(of: peer) {
                let base = self.catalogue
                session.state.withLockedValue { state in
                    var own = state.catalogues[self.name] ?? base
                    for (kind, entries) in fetched { own.set(kind, to: entries) }
                    state.catalogues[self.name] = own
                }
                return []
            } else {
                let others = CatalogueKind.allCases.filter { kind in !kinds.contains(kind) && !(self.info?.has(kind.capability) ?? false) }
                let changed = self.state.withLockedValue { state in
                    let before = state.catalogue
                    for kind in others { state.catalogue.set(kind, to: []) }
                    for (kind, entries) in fetched { state.catalogue.set(kind, to: entries) }
                    for (kind, list) in lists {
                        state.catalogue.freshness[kind] = isModern ? Freshness(hint: list.hint, readAt: now) : nil
                    }
                    return CatalogueKind.allCases.filter { !state.catalogue.isSame(as: before, $0) }
                }
                if !changed.isEmpty { self.gateway.catalogueChanged() }
                return changed
            }
        }
    }
}

extension UpstreamHost: UpstreamPeerOwner {
    func peerBecameReady(_ peer: UpstreamPeer, info: UpstreamInfo) {
        if let session = session(of: peer) {
            session.restoreUpstreamState(on: peer, host: name, info: info)
            return
        }
        state.withLockedValue { state in
            state.info = info
            state.failure = nil
        }
        // Calls that waited go out before the tools are read (again).
        _ = peer.callable(catalogue.entries(.tools))
        eraIsKnown()
        if isShared { gateway.restoreUpstreamState(on: peer, host: self, info: info) }
        if info.era == .modern { gateway.restoreTasks(on: peer, host: self) }
        let kinds = CatalogueKind.allCases.filter { info.has($0.capability) }
        refresh(kinds, from: peer).whenComplete { _ in self.settle() }
    }

    func peerWentDown(_ peer: UpstreamPeer, reason: String, willRestart: Bool) {
        state.withLockedValue { _ = $0.logLevels.removeValue(forKey: ObjectIdentifier(peer)) }
        if let session = session(of: peer) {
            session.dropInputs(of: peer)
            return
        }
        guard peer === state.withLockedValue({ $0.main }) else { return }
        // The process that only told the catalogue is stopped when idle; that is no failure.
        let isUnknown = state.withLockedValue { state in
            if isShared || state.info == nil { state.failure = reason }
            guard state.info == nil else { return false }
            // It never started: what its predecessor offered is not there any more.
            state.catalogue = UpstreamCatalogue()
            return true
        }
        if isUnknown { gateway.catalogueChanged() }
        settle()
    }

    /// Reads them again; clients hear of it when they are not what they were.
    func peer(_ peer: UpstreamPeer, mayHaveMissed methods: [MCPProtocol.Method]) {
        let kinds = CatalogueKind.allCases.filter { methods.contains($0.listChanged) && peer.currentInfo()?.has($0.capability) == true }
        _ = refresh(kinds, from: peer)
    }

    func peer(_ peer: UpstreamPeer, whenPassedOn body: @escaping @Sendable () -> Void) { gateway.whenPassedOn(body) }

    func peer(_ peer: UpstreamPeer, receivedRequest request: Message) {
        guard let id = request.idBytes else { return }
        guard let session = session(of: peer) else {
            // A shared process cannot say which client it asks, so it was offered none of the client's features.
            let error = RPCError(
                code: .methodNotFound,
                message: "the gateway shares this server between clients; set \"isolation\": \"session\" to let it ask its client")
            peer.respond(error.response(id: id), to: id)
            return
        }
        if session.isModern, request.methodName.clientCapability == nil {
            // There is no session to ask; a ping is answered for it.
            let error = RPCError(code: .methodNotFound, message: "a modern client cannot be asked this")
            let response = MessageWriter.response(id: id, result: ByteBuffer(string: "{}"))
            return peer.respond(request.methodName == .ping ? response : error.response(id: id), to: id)
        }
        if let feature = request.methodName.clientCapability, !session.declares(feature) {
            let error = RPCError(code: .methodNotFound, message: "the client did not declare the capability \"\(feature)\"")
            if session.isModern { peer.newestExchange()?.lacked(feature) }
            peer.respond(error.response(id: id), to: id)
            return
        }
        guard let bytes = session.openInput(request, from: peer) else {
            peer.respond(RPCError(code: .internalError, message: "too many requests wait for the client").response(id: id), to: id)
            return
        }
        if request.isOfTask, session.keepsForNewTask(bytes) { return }
        if let exchange = peer.newestExchange(), exchange.emit(.inputRequired(bytes)) { return }
        if session.isModern {
            if let task = gateway.heldTasks.task(of: session) { return task.asked(bytes) }
            return peer.respond(RPCError(code: .internalError, message: "the client's request is over").response(id: id), to: id)
        }
        session.sendUnsolicited(bytes)
    }

    func peer(_ peer: UpstreamPeer, receivedNotification notification: Message) {
        let method = notification.methodName
        let kinds = CatalogueKind.allCases.filter { $0.listChanged == method }
        if !kinds.isEmpty {
            let declared = kinds.filter { kind in peer.currentInfo()?.has(kind.capability) ?? false }
            // A list that the server never offered cannot be read; its client is told all the same.
            if declared.isEmpty { session(of: peer)?.sendListChanged(method) } else { refreshOnce(declared, from: peer) }
            return
        }
        if method == .tasksStatus, let task = notification.json.string(notification.param("taskId")) {
            let key = TaskOwner.Key(server: name, id: task)
            gateway.taskWatches.look(at: key)
            // Its client need not ask, and its process is wanted by others.
            if TaskState(notification.params, in: notification.json, era: .legacy)?.status.isTerminal == true {
                gateway.heldTasks.look(at: key)
            }
        }
        if let session = session(of: peer) {
            session.receive(notification, method: method, from: peer)
        } else {
            gateway.receiveShared(notification, method: method, from: peer, host: self)
        }
    }
}

extension UpstreamPeer {
    /// The newest exchange in progress. On the event loop.
    func newestExchange() -> Exchange? {
        var newest: (call: UInt64, exchange: Exchange)?
        for (call, entry) in core.value.calls where call > newest?.call ?? 0 {
            if let exchange = entry.handler.exchange { newest = (call, exchange) }
        }
        return newest?.exchange
    }

    /// All exchanges in progress. On the event loop.
    func openExchanges() -> [Exchange] {
        core.value.calls.values.compactMap { $0.handler.exchange }
    }

    /// What the server said in the handshake. On the event loop.
    func currentInfo() -> UpstreamInfo? { core.value.info }
}
