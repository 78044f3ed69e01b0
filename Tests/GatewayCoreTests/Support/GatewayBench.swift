import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

/// An MCP server that shakes hands and tells its lists by itself; the test answers everything else.
final class ScriptedServer: Sendable {
    let name: String
    let isolation: Isolation
    let capabilities: String
    let filter: ToolFilter
    let era: EraPolicy
    let factory: ScriptedFactory
    private let lists: NIOLockedValueBox<[CatalogueKind: String]>

    init(
        _ name: String, isolation: Isolation = .shared, capabilities: String = #"{"tools":{"listChanged":true}}"#,
        filter: ToolFilter = .everything,
        lists: [CatalogueKind: String] = [:], answersInitialize: Bool = true, answersLists: Bool = true, era: EraPolicy = .legacy,
        hints: String = ""
    ) {
        self.era = era
        self.name = name
        self.isolation = isolation
        self.capabilities = capabilities
        self.filter = filter
        let box = NIOLockedValueBox(lists)
        self.lists = box
        factory = ScriptedFactory { link, message in
            link.eventLoop.execute {
                if message.methodName == .initialize {
                    if answersInitialize { link.shakeHands(capabilities: capabilities) }
                } else if message.methodName == .serverDiscover {
                    if era == .modern { link.answerDiscover(message, capabilities: capabilities) }
                } else if message.methodName == .subscriptionsListen {
                    link.acknowledge(message)
                } else if let kind = CatalogueKind(listMethod: message.methodName) {
                    guard answersLists else { return }
                    link.answer(message, result: "{\"\(kind.resultKey)\":[\(box.withLockedValue { $0[kind] } ?? "")]\(hints)}")
                } else if message.methodName == .loggingSetLevel {
                    link.answer(message, result: "{}")
                }
            }
        }
    }

    static func tools(_ name: String, _ tools: [String], isolation: Isolation = .shared, filter: ToolFilter = .everything) -> ScriptedServer
    {
        ScriptedServer(
            name, isolation: isolation, filter: filter, lists: [.tools: tools.map { "{\"name\":\"\($0)\"}" }.joined(separator: ",")])
    }

    func set(_ kind: CatalogueKind, _ entries: String) { lists.withLockedValue { $0[kind] = entries } }

    /// The conversation that is under way with the newest process.
    var link: ScriptedLink { factory.links[factory.links.count - 1] }

    var definition: UpstreamDefinition {
        var definition = UpstreamDefinition(name: name, isolation: isolation, factory: factory, fingerprint: name)
        definition.toolFilter = filter
        definition.callTimeout = .hours(1)
        // What the tests of the other era need: `auto` costs a probe.
        definition.era = era == .modern ? .auto : era
        return definition
    }
}

/// Writes down the events of an exchange.
final class RecordingSink: ExchangeSink {
    private let state = NIOLockedValueBox<[ExchangeEvent]>([])

    var events: [ExchangeEvent] { state.withLockedValue { $0 } }
    var texts: [String] { events.map { String(buffer: $0.message) } }
    var messages: [Message] { events.compactMap { try? Message.parse($0.message) } }
    var isOver: Bool { events.last?.isFinal ?? false }
    var finals: Int { events.count { $0.isFinal } }
    /// The code of the error it ended with.
    var errorCode: Int? { messages.last.flatMap { $0.json.integer($0.json.member("code", of: $0.error)) } }
    var result: String? { messages.last.flatMap { message in message.json.slice(message.result).map { String(buffer: $0) } } }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) { state.withLockedValue { $0.append(event) } }
}

/// Writes down unsolicited messages.
final class RecordingUnsolicited: UnsolicitedSink {
    private let state = NIOLockedValueBox<[ByteBuffer]>([])
    var texts: [String] { state.withLockedValue { $0 }.map { String(buffer: $0) } }
    var methods: [String] { state.withLockedValue { $0 }.compactMap { (try? Message.parse($0))?.methodName.name } }
    func send(_ message: ByteBuffer) { state.withLockedValue { $0.append(message) } }
}

/// A gateway whose stores, servers, loop and clock are the test's.
final class GatewayBench {
    static let key = Array(repeating: UInt8(3), count: 32)
    let loop = EmbeddedEventLoop()
    let stores: MemoryStores
    let gateway: Gateway
    let now: NIOLockedValueBox<WallTime>
    let servers: [ScriptedServer]

    init(
        _ servers: [ScriptedServer] = [], stores: MemoryStores = MemoryStores(), at start: WallTime = WallTime(milliseconds: 1_000_000_000),
        builtins: [any BuiltinTool] = [], cluster: ClusterServices? = nil, configure: (inout CoreSettings) -> Void = { _ in }
    ) {
        loop.advanceTime(to: .now())
        self.stores = stores
        self.servers = servers
        let now = NIOLockedValueBox(start)
        self.now = now
        var settings = CoreSettings()
        configure(&settings)
        gateway = Gateway(
            settings: settings, sessions: stores, events: stores, cluster: cluster, authority: SessionIDAuthority(key: Self.key),
            clock: GatewayClock { now.withLockedValue { $0 } }, builtins: builtins, eventLoopGroup: loop, logger: silentLogger)
        gateway.setUpstreams(servers.map(\.definition))
        gateway.start()
        settle()
    }

    deinit {
        for session in gateway.registry.all { _ = session.end() }
        gateway.setUpstreams([])
        settle()
        for link in servers.flatMap(\.factory.links) { link.closed(LinkClosure(description: "the test is over", isOrderly: true)) }
        settle()
        try? loop.syncShutdownGracefully()
    }

    /// Lets the loop and the stores do all they have to do now.
    func settle() {
        for _ in 0..<20 {
            loop.run()
            stores.run()
        }
    }

    func advance(_ duration: Duration) { now.withLockedValue { $0 = $0 + duration } }

    func message(_ raw: String) throws -> Message { try Message.parse(ByteBuffer(string: raw)) }

    /// What a client that can do everything declares.
    static let allCapabilities = #"{"sampling":{},"elicitation":{},"roots":{}}"#

    static func initialize(
        version: String = "2025-11-25", capabilities: String = allCapabilities, name: String = "client", extra: String = ""
    )
        -> String
    {
        "{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"\(version)\",\"capabilities\":\(capabilities),\"clientInfo\":{\"name\":\"\(name)\",\"version\":\"1\"}\(extra)}}"
    }

    func create(_ raw: String, server: String? = nil) throws -> Result<(session: Session, response: ByteBuffer), SessionCreationError> {
        let outcome = NIOLockedValueBox<Result<(session: Session, response: ByteBuffer), SessionCreationError>?>(nil)
        gateway.createSession(try message(raw), server: server) { result in outcome.withLockedValue { $0 = result } }
        settle()
        return try #require(outcome.withLockedValue { $0 })
    }

    func session(server: String? = nil, version: String = "2025-11-25", capabilities: String = allCapabilities) throws -> Session {
        try create(Self.initialize(version: version, capabilities: capabilities), server: server).get().session
    }

    /// What the gateway finds for an id.
    func find(_ id: SessionID) throws -> Session? {
        let outcome = NIOLockedValueBox<Result<Session?, StoreError>?>(nil)
        gateway.session(id) { result in outcome.withLockedValue { $0 = result } }
        settle()
        return try #require(outcome.withLockedValue { $0 }).get()
    }

    /// The stream that a `Last-Event-ID` names.
    func findStream(_ id: StreamID, in session: Session) throws -> EventStream? {
        let outcome = NIOLockedValueBox<Result<EventStream?, StoreError>?>(nil)
        session.findStream(id) { result in outcome.withLockedValue { $0 = result } }
        settle()
        return try #require(outcome.withLockedValue { $0 }).get()
    }

    func send(_ raw: String, in session: Session) throws -> RecordingSink {
        let sink = RecordingSink()
        gateway.handle(try message(raw), in: session, sink: sink)
        settle()
        return sink
    }

    func request(_ method: String, _ params: String = "{}", id: String = "1", in session: Session) throws -> RecordingSink {
        try send("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"\(method)\",\"params\":\(params)}", in: session)
    }

    /// A call of a tool; `meta`: raw members of its `_meta`.
    func call(_ tool: String, id: String, meta: String = "") throws -> Message {
        try message(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"tools/call\",\"params\":{\"name\":\"\(tool)\",\"_meta\":{\(meta)}}}")
    }

    func accept(_ raw: String, in session: Session) throws {
        gateway.accept(try message(raw), in: session)
        settle()
    }

    /// The messages that a listening subscriber of the session gets from now on.
    func listen(_ session: Session) throws -> RecordingSubscriber {
        let subscriber = RecordingSubscriber()
        let (stream, after) = try #require(session.openListeningStream { _ in })
        stream.attach(subscriber, after: after)
        session.listeningStreamAttached()
        settle()
        return subscriber
    }
}

extension RecordingSubscriber {
    var methods: [String] { events.compactMap { (try? Message.parse($0.message))?.methodName.name } }
}
