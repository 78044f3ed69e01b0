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
    let knownHomes: KnownHomes
    let silentInstances = SilentInstances()
    private let signals: InstanceSignals?
    let authority: SessionIDAuthority
    public let clock: GatewayClock
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger
    public let lines: CoreLines
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
    let state: NIOLockedValueBox<State>
    /// Held while the catalogue is rendered.
    let rendering = NIOLock()
    let startedAt = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
    private let openExchanges = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    let displaced = Atomic<Bool>(false)
    /// Sessions on their way to other instances.
    let leavingSessions = Atomic<Int>(0)

    struct State {
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
        knownHomes = KnownHomes(capacity: settings.maxSessions)
        signals = cluster.map(InstanceSignals.init)
        self.authority = authority
        self.clock = clock
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        lines = CoreLines(logger)
        self.upstreamLogger = upstreamLogger ?? logger
        parked = ParkedExchanges(limit: settings.maxParkedExchanges, timeout: settings.parkedExchangeTimeout) { eventLoopGroup.next().now }
        heldTasks = HeldTasks(limit: settings.maxParkedExchanges)
        subscriptions = Subscriptions(limit: settings.maxSubscriptions)
        forwarding = cluster.map { ForwardingAuthority(key: authority.derivedKey("forwarding"), own: $0.directory.identity) }
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
        cluster?.directory.onReplaced { [weak self] in self?.displace() }
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
            self.lines.flush()
        }
        state.withLockedValue { $0.tasks = [touch, sweep, reap] }
    }

    /// Takes sessions into memory that have subscriptions: their servers are to be told. Among several instances a session has its home where
    /// its client comes back to.
    private func restoreSubscribers() {
        guard let sessions = sessions as? any SoleSessionStore else { return }
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

    /// Stops taking sessions and waits until no exchange is open, no longer than `limit`.
    public func drain(within limit: TimeAmount) async {
        draining.store(true, ordering: .relaxed)
        cluster?.directory.beginDraining()
        signals?.changed()
        subscriptions.end()
        let loop = eventLoopGroup.next()
        // A program answers at once what it was asked; for people nobody can wait.
        let grace = loop.scheduleTask(in: min(limit, settings.inputGrace)) { self.parked.endWaiting() }
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

    /// Answers what is still open with an error: the time to drain is over. What another instance, or the next process, can do again is left to it.
    public func abandonExchanges() {
        for session in registry.all {
            if events.outlivesProcess { session.leaveRepeatable(inOrder: true) }
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

    // MARK: Streams

    func openStream(
        of session: Session, kind: StreamRecord.Kind, prefix: StreamID.Prefix, requestIDs: ByteBuffer?, repeatable: ByteBuffer? = nil,
        opened: (@Sendable (Result<Void, StoreError>) -> Void)?
    ) -> EventStream {
        let record = StreamRecord(
            session: session.id, stream: .random(prefix), kind: kind, requestIDs: requestIDs, repeatableRequests: repeatable,
            createdAt: clock.now())
        let stream = EventStream(record: record, delivered: 0, isOpen: false, log: events, lines: lines)
        stream.open(opened)
        return stream
    }
}
