public import Logging
public import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore
import Synchronization

/// The transport-neutral middle: sessions, catalogue, routing. One per process.
public final class Gateway: Sendable {
    public let settings: CoreSettings
    let sessions: any SessionStore
    let events: any EventLog
    /// Nil when there is one instance only.
    let cluster: ClusterServices?
    let knownHomes = KnownHomes()
    private let signals: InstanceSignals?
    let authority: SessionIDAuthority
    public let clock: GatewayClock
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger
    /// For what upstreams do.
    let upstreamLogger: Logger
    let registry = SessionRegistry()
    let tickets: StreamTickets
    /// Exchanges of modern clients that wait for their clients' input.
    let parked: ParkedExchanges
    /// Processes that legacy servers have for tasks of modern clients.
    let heldTasks: HeldTasks
    /// What modern servers answered at once to clients that asked for a task.
    let keptResults = KeptResults()
    let requestStates: RequestStateAuthority
    /// Signs what goes to other instances; nil when there is none.
    public let forwarding: ForwardingAuthority?
    /// `subscriptions/listen` of modern clients.
    let subscriptions: Subscriptions
    /// Tasks of legacy servers that modern clients listen to.
    let taskWatches = TaskWatches()
    /// Raw `serverInfo` of the gateway.
    let ownInfo: ByteBuffer
    let clientBuckets: NIOLockedValueBox<ClientBuckets>
    /// Begins the ids of requests to clients; different in every process.
    let inputTag = String(UInt32.random(in: .min ... .max), radix: 36)
    /// Tells this process from others where there is no directory of instances.
    let processTag = UInt64.random(in: .min ... .max)
    /// Requests that the gateway answers itself.
    let ownCounters = RequestCounters(upstream: "gateway")
    /// Requests that the built-in tools answer.
    let builtinCounters = RequestCounters(upstream: Gateway.builtinName)
    private let state: NIOLockedValueBox<State>
    /// Held while the catalogue is rendered.
    private let rendering = NIOLock()
    private let startedAt = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
    private let openExchanges = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    /// Sessions on their way to other instances.
    let leavingSessions = Atomic<Int>(0)

    private struct State {
        /// In the order of the configuration.
        var hosts: [UpstreamHost] = []
        var hostsByName: [String: UpstreamHost] = [:]
        var builtins: [String: any BuiltinTool] = [:]
        var builtinCatalogue = UpstreamCatalogue()
        var merged: CatalogueView
        var single: [String: CatalogueView] = [:]
        /// Those of both that look different to clients of 2025-11-25, by the server of the endpoint; none if no modern server has tasks.
        var withTasks: [String?: CatalogueView] = [:]
        var tasks: [RepeatedTask] = []
        var idleWaiters: [EventLoopPromise<Void>] = []
    }

    /// The name of the built-in upstream in `/servers/<name>/mcp`.
    public static let builtinName = "environment"

    /// What a request gets whose outcome went down with an earlier process, or with a full disk.
    public static let lostError = RPCError(
        code: .internalError,
        message:
            "the outcome of this request is unknown: the gateway was restarted while it was in progress, or could not store its answer. Send it again if that is safe."
    )

    public init(
        settings: CoreSettings, sessions: any SessionStore, events: any EventLog, cluster: ClusterServices? = nil,
        authority: SessionIDAuthority, clock: GatewayClock,
        builtins: [any BuiltinTool], eventLoopGroup: any EventLoopGroup, logger: Logger, upstreamLogger: Logger? = nil
    ) {
        self.settings = settings
        clientBuckets = NIOLockedValueBox(ClientBuckets(ratePerSecond: settings.requestRatePerClient))
        self.sessions = sessions
        self.events = events
        self.cluster = cluster
        signals = cluster.map(InstanceSignals.init)
        self.authority = authority
        self.clock = clock
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.upstreamLogger = upstreamLogger ?? logger
        parked = ParkedExchanges(limit: settings.maxParkedExchanges, timeout: settings.parkedExchangeTimeout) { eventLoopGroup.next().now }
        heldTasks = HeldTasks(limit: settings.maxParkedExchanges)
        subscriptions = Subscriptions(limit: settings.maxSubscriptions)
        forwarding = cluster.map { ForwardingAuthority(key: authority.derivedKey("forwarding"), own: $0.directory.identity.name) }
        tickets = StreamTickets(key: cluster.map { _ in authority.derivedKey("tickets") })
        requestStates = RequestStateAuthority(key: authority.derivedKey("requestState"))
        ownInfo = settings.ownInfo
        var state = State(merged: CatalogueView(parts: [], pageSize: settings.pageSize))
        var entries: [CatalogueEntry] = []
        for tool in builtins {
            state.builtins[tool.name] = tool
            if let json = try? JSONText(validating: tool.definition), let entry = CatalogueEntry(json, kind: .tools) {
                entries.append(entry)
            }
        }
        state.builtinCatalogue.set(.tools, to: entries)
        self.state = NIOLockedValueBox(state)
    }

    // MARK: Life

    /// Takes up what earlier processes left and starts the periodic work. Upstreams are set before.
    public func start() {
        StreamMetrics.prepare()
        parked.prepare()
        startedAt.withLockedValue { $0 = eventLoopGroup.next().now }
        catalogueChanged()
        restoreSubscribers()
        if let cluster, let signals {
            cluster.bus.onMessage(signals)
            signals.changed()
        }
        cluster?.ownership.onHomeLost { [weak self] id in
            guard let self, let session = registry[id] else { return }
            abandon(session)
        }
        let loop = eventLoopGroup.next()
        let touch = loop.scheduleRepeatedTask(initialDelay: settings.touchInterval, delay: settings.touchInterval) { _ in
            self.flushTouches()
        }
        let sweep = loop.scheduleRepeatedTask(initialDelay: settings.sweepInterval, delay: settings.sweepInterval) { _ in self.sweep() }
        let reap = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            for host in self.hosts { host.reapIdle() }
            self.parked.sweep()
            self.heldTasks.sweep(at: loop.now)
            self.confirmHomes()
        }
        state.withLockedValue { $0.tasks = [touch, sweep, reap] }
    }

    /// Takes sessions into memory that have subscriptions: their servers are to be told. Among several instances a session has its home where
    /// its client comes back to.
    private func restoreSubscribers() {
        guard cluster == nil else { return }
        let aliveSince = clock.now() - settings.sessionTTL
        sessions.sessions(withAttributePrefix: SessionAttribute.subscriptionPrefix, aliveSince: aliveSince) { result in
            guard case .success(let records) = result else { return }
            for record in records { self.restore(record) { _ in } }
        }
    }

    /// Whether the gateway is on its way out: no new sessions.
    public var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Stops taking sessions.
    public func beginDraining() { draining.store(true, ordering: .relaxed) }

    /// How long clients that were asked for input may take to bring it once the gateway is on its way out.
    static let inputGrace = TimeAmount.seconds(2)

    /// Stops taking sessions and waits until no exchange is open, no longer than `limit`.
    public func drain(within limit: TimeAmount) async {
        draining.store(true, ordering: .relaxed)
        cluster?.directory.beginDraining()
        signals?.changed()
        subscriptions.end()
        let loop = eventLoopGroup.next()
        // A program answers at once what it was asked; for people nobody can wait.
        let grace = loop.scheduleTask(in: min(limit, Self.inputGrace)) { self.parked.endWaiting() }
        defer {
            grace.cancel()
            parked.endWaiting()
        }
        let handOver = loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in
            self.handOverQuietSessions()
            if self.isDrained { self.resumeIdleWaiters() }
        }
        defer { handOver.cancel() }
        let promise = loop.makePromise(of: Void.self)
        let isIdle = state.withLockedValue { state in
            state.idleWaiters.append(promise)
            return isDrained
        }
        if isIdle { resumeIdleWaiters() }
        let timer = loop.scheduleTask(in: limit) { self.resumeIdleWaiters() }
        try? await promise.futureResult.get()
        timer.cancel()
    }

    /// Answers what is still open with an error: the time to drain is over. What another instance can do again it is left.
    public func abandonExchanges() {
        for session in registry.all {
            if hasSuccessor { session.leaveRepeatable() }
            for exchange in session.state.withLockedValue({ Array($0.exchanges.values) }) { exchange.fail(.drainTimeout) }
        }
    }

    /// Nothing is in progress, and nothing left that others are to have.
    private var isDrained: Bool { openExchanges.load(ordering: .sequentiallyConsistent) <= 0 && !hasSessionsToHandOver }

    private func resumeIdleWaiters() {
        let waiters = state.withLockedValue { state in
            defer { state.idleWaiters.removeAll() }
            return state.idleWaiters
        }
        for waiter in waiters { waiter.succeed(()) }
    }

    /// Stops upstreams and the periodic work, and waits until the stores have everything.
    public func shutdown() async {
        draining.store(true, ordering: .relaxed)
        let (tasks, hosts) = state.withLockedValue { state in
            defer { state.tasks.removeAll() }
            return (state.tasks, state.hosts)
        }
        for task in tasks { task.cancel() }
        let stops = hosts.map { $0.stop() }
        try? await EventLoopFuture.andAllComplete(stops, on: eventLoopGroup.next()).get()
        flushTouches()
        await sessions.flush()
    }

    /// Requests in progress.
    public var openExchangeCount: Int { openExchanges.load(ordering: .relaxed) }

    /// Exchanges that wait for their modern clients' input.
    public var parkedExchangeCount: Int { parked.count }

    /// Sessions in memory.
    public var sessionsInMemory: Int { registry.count }

    func exchangeBegan() { openExchanges.wrappingAdd(1, ordering: .relaxed) }

    func exchangeEnded() {
        let left = openExchanges.wrappingSubtract(1, ordering: .relaxed).newValue
        if left <= 0, isDraining, isDrained { resumeIdleWaiters() }
    }

    // MARK: Upstreams

    var hosts: [UpstreamHost] { state.withLockedValue { $0.hosts } }

    /// The built-in tools as a server's.
    var builtinCatalogue: UpstreamCatalogue { state.withLockedValue { $0.builtinCatalogue } }

    func host(named name: String) -> UpstreamHost? { state.withLockedValue { $0.hostsByName[name] } }

    func builtin(named name: String) -> (any BuiltinTool)? { state.withLockedValue { $0.builtins[name] } }

    /// The upstreams a session may use.
    func hosts(of session: Session) -> [UpstreamHost] {
        state.withLockedValue { state in
            guard let server = session.server else { return state.hosts }
            return state.hostsByName[server].map { [$0] } ?? []
        }
    }

    /// Whether `/servers/<name>/mcp` exists.
    public func hasServer(_ name: String) -> Bool {
        state.withLockedValue { $0.hostsByName[name] != nil || name == Self.builtinName && !$0.builtins.isEmpty }
    }

    /// Makes the set of upstreams what is given: starts new ones, stops those that are gone, replaces changed ones, leaves the rest alone.
    public func setUpstreams(_ definitions: [UpstreamDefinition]) {
        let (stopped, started) = state.withLockedValue { state -> ([UpstreamHost], [UpstreamHost]) in
            let old = state.hostsByName
            var started: [UpstreamHost] = []
            state.hosts = definitions.map { definition in
                if let host = old[definition.name], host.definition.fingerprint == definition.fingerprint {
                    host.adopt(definition)
                    return host
                }
                let host = UpstreamHost(definition: definition, gateway: self, replacing: old[definition.name])
                started.append(host)
                return host
            }
            state.hostsByName = Dictionary(state.hosts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            let kept = Set(state.hosts.map { ObjectIdentifier($0) })
            return (old.values.filter { !kept.contains(ObjectIdentifier($0)) }, started)
        }
        for host in stopped {
            for session in registry.all {
                session.state.withLockedValue { state in
                    state.peers.removeValue(forKey: host.name)
                    state.catalogues.removeValue(forKey: host.name)
                }
            }
            host.stop().whenComplete { _ in }
        }
        for host in started { host.start() }
        if !stopped.isEmpty || !started.isEmpty { catalogueChanged() }
    }

    /// The state of each upstream in the order of the configuration, for health, metrics and diagnosis.
    public var upstreamFigures: [UpstreamFigures] { hosts.map(\.figures) }

    /// Upstreams of the first configuration that are still being tried for the first time; none once `startupWait` is over.
    public var startingUpstreams: [String] {
        guard eventLoopGroup.next().now < startedAt.withLockedValue({ $0 }) + settings.startupWait else { return [] }
        return hosts.filter { !$0.isSettled }.map(\.name)
    }

    /// Runs `body` when every upstream of the session's scope has been tried, at the latest when their start-up wait is over.
    func whenSettled(server: String?, _ body: @escaping @Sendable () -> Void) {
        let unsettled = hosts.filter { (server == nil || $0.name == server) && !$0.isSettled }
        // The wait counts from when the upstream was configured, so that one that never comes delays clients of the first moments only.
        let loop = eventLoopGroup.next()
        let deadline = unsettled.map { $0.createdAt + settings.startupWait }.max() ?? loop.now
        guard deadline > loop.now else { return body() }
        let once = NIOLockedValueBox<(@Sendable () -> Void)?>(body)
        let remaining = NIOLockedValueBox(unsettled.count)
        let fire: @Sendable () -> Void = {
            once.withLockedValue { body in
                defer { body = nil }
                return body
            }?()
        }
        let timer = loop.scheduleTask(deadline: deadline) { fire() }
        for host in unsettled {
            host.whenSettled {
                let isLast = remaining.withLockedValue { count in
                    count -= 1
                    return count == 0
                }
                if isLast {
                    timer.cancel()
                    fire()
                }
            }
        }
    }

    // MARK: Catalogue

    /// The catalogue as the session sees it.
    func view(for session: Session) -> CatalogueView {
        let own = session.state.withLockedValue { $0.catalogues }
        let marksTasks = session.revision == .v2025_11_25 && !session.isREST
        guard own.isEmpty else { return makeView(server: session.server, own: own, marksTasks: marksTasks) }
        return state.withLockedValue { state in
            if marksTasks, let view = state.withTasks[session.server] { return view }
            guard let server = session.server else { return state.merged }
            return state.single[server] ?? CatalogueView(parts: [], pageSize: settings.pageSize)
        }
    }

    private func makeView(server: String?, own: [String: UpstreamCatalogue], marksTasks: Bool = false) -> CatalogueView {
        let (hosts, builtins) = state.withLockedValue { ($0.hosts, $0.builtinCatalogue) }
        var parts: [CatalogueView.Part] = []
        if server == nil || server == Self.builtinName {
            parts.append(.init(owner: Self.builtinName, catalogue: builtins, filter: .everything, isPrefixed: false))
        }
        for host in hosts where server == nil || server == host.name {
            parts.append(
                .init(
                    owner: host.name, catalogue: own[host.name] ?? host.catalogue, filter: host.definition.toolFilter,
                    isPrefixed: server == nil, marksTasks: marksTasks && host.isModern && host.hasTasks))
        }
        return CatalogueView(parts: parts, pageSize: settings.pageSize)
    }

    /// Renders the catalogue again and tells sessions which lists changed.
    func catalogueChanged() {
        // One at a time: of two changes at once the one that looked first must not store its view last.
        let (merged, single, oldMerged, oldSingle) = rendering.withLock {
            let merged = makeView(server: nil, own: [:])
            let names = hosts.map(\.name) + [Self.builtinName]
            let single = Dictionary(uniqueKeysWithValues: Set(names).map { ($0, makeView(server: $0, own: [:])) })
            let modern = hosts.filter { $0.isModern && $0.hasTasks }.map { Optional($0.name) }
            let withTasks = Dictionary(
                uniqueKeysWithValues: Set(modern.isEmpty ? [] : modern + [nil]).map {
                    ($0, makeView(server: $0, own: [:], marksTasks: true))
                })
            return state.withLockedValue { state in
                defer {
                    state.merged = merged
                    state.single = single
                    state.withTasks = withTasks
                }
                return (merged, single, state.merged, state.single)
            }
        }
        let empty = CatalogueView(parts: [], pageSize: settings.pageSize)
        let mergedChanges = merged.changes(from: oldMerged)
        let changesByServer = Dictionary(uniqueKeysWithValues: single.map { ($0, $1.changes(from: oldSingle[$0] ?? empty)) })
        guard !mergedChanges.isEmpty || changesByServer.values.contains(where: { !$0.isEmpty }) else { return }
        for session in registry.all {
            let changes = session.server.map { changesByServer[$0] ?? [] } ?? mergedChanges
            for method in changes.sorted(by: { $0.name < $1.name }) { session.sendListChanged(method) }
        }
    }

    /// Tells the sessions that a server may serve that lists of it changed, as it said.
    func listsChanged(_ methods: Set<MCPProtocol.Method>, of host: UpstreamHost) {
        guard !methods.isEmpty else { return }
        for session in registry.all where session.server == nil || session.server == host.name {
            for method in methods.sorted(by: { $0.name < $1.name }) { session.sendListChanged(method) }
        }
    }

    // MARK: Streams

    func openStream(
        of session: Session, kind: StreamRecord.Kind, prefix: StreamID.Prefix, requestIDs: ByteBuffer?, repeatable: ByteBuffer? = nil,
        opened: (@Sendable (Result<Void, StoreError>) -> Void)?
    ) -> EventStream {
        let record = StreamRecord(
            session: session.id, stream: .random(prefix), kind: kind, requestIDs: requestIDs, repeatableRequests: repeatable,
            createdAt: clock.now())
        let stream = EventStream(record: record, delivered: 0, isOpen: false, log: events, logger: logger)
        stream.open(opened)
        return stream
    }
}
