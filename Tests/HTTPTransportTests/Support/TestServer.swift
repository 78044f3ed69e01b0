import EmbeddedStore
import GatewayCore
import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle

@testable import HTTPTransport

/// An HTTP server in this process, in front of a scripted upstream: `up` is shared, `own` has a conversation for each session.
final class TestServer: Sendable {
    let port: Int
    let gateway: Gateway
    let upstream: ScriptedUpstream
    private let store: EmbeddedStore
    private let group: ServiceGroup
    /// True once `run()` of the server has returned.
    let hasReturned: Monitor<Bool>
    private let clients = NIOLockedValueBox<[RawClient]>([])

    /// Runs `body` with a server, and stops it.
    static func run(
        _ change: (inout HTTPTransportSettings) -> Void = { _ in }, core changeCore: (inout CoreSettings) -> Void = { _ in },
        limits: EventLogLimits = EventLogLimits(), instance: SharedHomes.Instance? = nil,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        var settings = HTTPTransportSettings()
        settings.port = 0
        settings.drainTimeout = .seconds(60)
        // However busy the machine: an answer is only late where a test wants it to be.
        settings.firstEventWait = .seconds(60)
        change(&settings)
        var coreSettings = CoreSettings()
        // The gateway's clock is ahead of the store's, to which every event is old.
        coreSettings.sweepInterval = .hours(1)
        changeCore(&coreSettings)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let eventLoops = MultiThreadedEventLoopGroup.singleton
        let store = try instance?.homes.store ?? EmbeddedStore.inMemory(limits: limits, logger: logger)
        let gateway = Gateway(
            settings: coreSettings, sessions: instance ?? store, events: store, cluster: instance?.services,
            authority: SessionIDAuthority(key: try store.signingKey()),
            clock: GatewayClock { WallTime(milliseconds: 1_800_000_000_000) }, builtins: [], eventLoopGroup: eventLoops, logger: logger)
        let upstream = ScriptedUpstream()
        gateway.start()
        gateway.setUpstreams([
            UpstreamDefinition(name: "up", isolation: .shared, factory: upstream, fingerprint: "up"),
            UpstreamDefinition(name: "own", isolation: .session, factory: upstream, fingerprint: "own"),
        ])
        let port = Monitor<Int?>(nil)
        let server = MCPHTTPServer(
            gateway: gateway, settings: settings, eventLoopGroup: eventLoops, logger: logger,
            reports: OperatorReports(
                health: {
                    HealthReport(
                        status: "ok", version: "0", instance: "test", colour: nil, uptimeSeconds: 0, store: "memory",
                        sessionsInMemory: gateway.sessionsInMemory, openExchanges: gateway.openExchangeCount, components: [:], upstreams: []
                    )
                }, readiness: { ReadinessReport(reasons: []) }, metrics: nil),
            onRunning: { found in port.update { $0 = found } })
        let group = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: logger))
        let hasReturned = Monitor(false)
        let running = Task {
            defer { hasReturned.update { $0 = true } }
            try await group.run()
        }
        let found = try await port.wait(for: "the server to listen") { $0 }
        instance?.listens(on: found)
        let test = TestServer(
            port: found, gateway: gateway, upstream: upstream, store: store, group: group,
            hasReturned: hasReturned)
        let result: Result<Void, any Error>
        do { result = .success(try await body(test)) } catch { result = .failure(error) }
        for client in test.clients.withLockedValue({ $0 }) { await client.close() }
        await group.triggerGracefulShutdown()
        await gateway.shutdown()
        try? await running.value
        if instance == nil { store.close() }
        try result.get()
    }

    private init(
        port: Int, gateway: Gateway, upstream: ScriptedUpstream, store: EmbeddedStore, group: ServiceGroup, hasReturned: Monitor<Bool>
    ) {
        self.store = store
        self.port = port
        self.gateway = gateway
        self.upstream = upstream
        self.group = group
        self.hasReturned = hasReturned
    }

    /// From now on the store fails.
    func closeStore() { store.close() }

    /// Begins the graceful shutdown, as SIGTERM does.
    func drain() async {
        gateway.beginDraining()
        await group.triggerGracefulShutdown()
    }

    func connect(reads: Bool = true) async throws -> RawClient {
        let client = try await RawClient.connect(port: port, reads: reads)
        clients.withLockedValue { $0.append(client) }
        return client
    }

    /// Sends one request on a connection of its own.
    func response(to request: String) async throws -> Response {
        let client = try await connect()
        let response = try await client.response(to: request)
        await client.close()
        return response
    }

    /// A new session; its id.
    func session(revision: String = "2025-11-25") async throws -> String {
        let response = try await response(to: Request.initialize(revision))
        guard response.status == 200, let id = response.head["mcp-session-id"] else { throw NoSession(response: response) }
        return id
    }

    /// A connection with an open listening stream, its first event read.
    func listen(session: String, after id: String? = nil) async throws -> (client: RawClient, first: ServerSentEvent) {
        let client = try await connect()
        try await client.send(Request.listen(session: session, after: id))
        let head = try await client.head()
        guard head.status == 200 else { throw NoSession(response: Response(head: head, body: "")) }
        return (client, try await client.event())
    }

    /// How many streams of the session have a client connected.
    func connectedStreams(of session: String) async throws -> Int {
        guard let id = SessionID(session) else { return 0 }
        let found = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Int.self)
        gateway.session(id) { found.succeed((try? $0.get())?.connectedStreams ?? 0) }
        return try await found.futureResult.get()
    }

    /// Looks again after each round trip to the server, until a deadline.
    func wait(
        until what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool
    ) async throws {
        let client = try await connect()
        let deadline = ContinuousClock.now + limit
        while !(try await condition()) {
            guard ContinuousClock.now < deadline else { throw TimedOut(what: what, last: "") }
            _ = try await client.response(to: Request.make("GET", path: "/health"))
        }
        await client.close()
    }

    struct NoSession: Error { let response: Response }
}
