public import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore

/// Where a transport without streams that can be resumed (stdio, HTTP+SSE) takes messages that belong to no request.
public protocol UnsolicitedSink: AnyObject, Sendable {
    func send(_ message: ByteBuffer)
    /// The session was deleted or has expired.
    func sessionEnded()
}

extension UnsolicitedSink {
    public func sessionEnded() {}
}

/// What an instance holds of a session while it is in use. What must outlive the process is in the stores.
public final class Session: Sendable {
    public let id: SessionID
    /// The revision agreed on with the client.
    public let revision: Revision
    /// The one server it is confined to; nil for all.
    public let server: String?
    public let clientID: String
    public let createdAt: WallTime
    /// Raw JSON object that the client of the REST API gave; nil for a session that `initialize` made.
    public let metadata: ByteBuffer?
    /// Raw `params` of the client's `initialize`.
    public let initializeParams: ByteBuffer
    /// Nothing is known of it but its id, because no store could be asked.
    let isStateless: Bool
    unowned let gateway: Gateway
    let state: NIOLockedValueBox<State>

    struct State {
        var lastSeen: WallTime
        /// `lastSeen` is newer than the store's.
        var isTouched = false
        var isEnded = false
        /// Among several instances: the lease under which it was claimed.
        var leaseGeneration: UInt64 = 0
        var logLevel: LogLevel?
        /// What modern servers are told of the client, with the log level that is in it.
        var requestMembers: (level: LogLevel?, members: ByteBuffer)?
        /// URI → upstream.
        var subscriptions: [String: String] = [:]
        /// Task id → upstream.
        var tasks: [String: String] = [:]
        var exchanges: [RequestKey: Exchange] = [:]
        var exchangeCount = 0
        /// Once a rate is asked for.
        var bucket: TokenBucket?
        var inputs: [String: OpenInput] = [:]
        var nextInput: UInt64 = 1
        /// Listening streams, oldest first.
        var listening: [EventStream] = []
        /// Every event of the session, once somebody has asked for it.
        var feed: EventStream?
        /// Exchange streams that have not ended.
        var streams: [StreamID: EventStream] = [:]
        /// List changes that wait for a listening stream.
        var pendingListChanges: [MCPProtocol.Method] = []
        var unsolicited: (any UnsolicitedSink)?
        /// Own processes of upstreams with `session` isolation.
        var peers: [String: UpstreamPeer] = [:]
        /// Lists of own processes, where they changed.
        var catalogues: [String: UpstreamCatalogue] = [:]
        /// It was made for a modern request that has become a task, and stays while the task does.
        var holdsTask = false
        /// What the server asked for a task before it said that it has made the task: two streams of HTTP keep no order. Nil when no task is
        /// being made. Not more than `inputs`.
        var inputsOfNewTask: [ByteBuffer]?
    }

    /// A request of a server's that the client has not answered.
    struct OpenInput {
        let peer: UpstreamPeer
        /// The server's raw id.
        let upstreamID: ByteBuffer
        /// The server's raw progress token.
        let progressToken: ByteBuffer?
        /// Takes the answer in place of the server.
        var answer: (@Sendable (Message) -> Void)?
    }

    init(record: SessionRecord, gateway: Gateway, isStateless: Bool = false) {
        id = record.id
        self.isStateless = isStateless
        revision = record.revision
        server = record.server
        clientID = record.clientID
        createdAt = record.createdAt
        metadata = record.attributes[.metadata]
        initializeParams = record.initializeParams
        self.gateway = gateway
        var state = State(lastSeen: record.lastSeen)
        state.leaseGeneration = gateway.cluster?.directory.lease.generation ?? 0
        for (attribute, value) in record.attributes {
            if let uri = attribute.subscribedURI {
                state.subscriptions[uri] = String(buffer: value)
            } else if let task = attribute.taskID {
                state.tasks[task] = String(buffer: value)
            } else if attribute == .logLevel {
                state.logLevel = LogLevel(rawValue: String(buffer: value))
            }
        }
        self.state = NIOLockedValueBox(state)
    }

    /// Whether the REST API made it.
    var isREST: Bool { metadata != nil }

    /// When the client was last heard of.
    public var lastSeen: WallTime { state.withLockedValue { $0.lastSeen } }

    /// When it ends unless the client is heard of before.
    public var expiresAt: WallTime { lastSeen + gateway.settings.sessionTTL }

    /// The session was deleted or has expired.
    public var isEnded: Bool { state.withLockedValue { $0.isEnded } }

    /// Streams that a client is connected to now.
    public var connectedStreams: Int {
        state.withLockedValue { state in
            (state.unsolicited == nil ? 0 : 1) + state.listening.count { $0.isConnected } + state.streams.values.count { $0.isConnected }
                + (state.feed?.subscriberCount ?? 0)
        }
    }

    // MARK: Exchanges

    /// Registers an exchange; false when the session has too many.
    func exchangeBegan(_ exchange: Exchange) -> Bool {
        let key = RequestKey(exchange.request.id, in: exchange.request.json)
        let limit = gateway.settings.maxConcurrentPerSession
        return state.withLockedValue { state in
            guard state.exchangeCount < limit else { return false }
            state.exchangeCount += 1
            // A client that uses an id twice at once still gets both answers, each on its own connection.
            state.exchanges[key] = exchange
            return true
        }
    }

    func exchangeEnded(_ exchange: Exchange) {
        let key = RequestKey(exchange.request.id, in: exchange.request.json)
        state.withLockedValue { state in
            state.exchangeCount -= 1
            if state.exchanges[key] === exchange { state.exchanges.removeValue(forKey: key) }
        }
        gateway.exchangeEnded()
    }

    func exchange(for key: RequestKey) -> Exchange? { state.withLockedValue { $0.exchanges[key] } }

    /// Whether the session has as many requests in progress as it may.
    public var isBusy: Bool { state.withLockedValue { $0.exchangeCount } >= gateway.settings.maxConcurrentPerSession }

    // MARK: Messages that belong to no request

    /// Sends a message on a listening stream, now or when the client opens one.
    func sendUnsolicited(_ message: ByteBuffer) {
        publish(message)
        let (sink, stream) = state.withLockedValue { state -> ((any UnsolicitedSink)?, EventStream?) in
            guard !state.isEnded else { return (nil, nil) }
            if let sink = state.unsolicited { return (sink, nil) }
            if let stream = state.listening.last(where: { $0.isConnected }) ?? state.listening.last { return (nil, stream) }
            // Its client reads the feed, or is no listener; nobody would ever take what waits on a listening stream.
            if isREST || isModern { return (nil, nil) }
            let stream = gateway.openStream(of: self, kind: .listening, prefix: .waiting, requestIDs: nil, opened: nil)
            state.listening.append(stream)
            return (nil, stream)
        }
        sink?.send(message)
        stream?.append(message)
    }

    /// Tells the client that a list changed. Until it listens, many changes are one.
    func sendListChanged(_ method: MCPProtocol.Method) {
        let isConnected = state.withLockedValue { state in
            if state.unsolicited != nil || state.feed != nil || state.listening.contains(where: { $0.isConnected }) { return true }
            if !state.pendingListChanges.contains(method) { state.pendingListChanges.append(method) }
            return false
        }
        if isConnected { sendUnsolicited(MessageWriter.notification(method: method.name)) }
    }

    /// Leaves out the list changes that wait: the client, which is answered only now, has read no list that is older.
    func forgetListChanges() { state.withLockedValue { $0.pendingListChanges.removeAll() } }

    /// Lets a transport without streams take unsolicited messages.
    public func setUnsolicitedSink(_ sink: any UnsolicitedSink) {
        let pending = state.withLockedValue { state in
            state.unsolicited = sink
            defer { state.pendingListChanges.removeAll() }
            return state.pendingListChanges
        }
        for method in pending { sink.send(MessageWriter.notification(method: method.name)) }
    }

    // MARK: What servers ask of the client

    /// Registers a server's request and returns it with the session's own id, ready for the client. Nil when too many wait.
    func openInput(_ request: Message, from peer: UpstreamPeer) -> ByteBuffer? {
        guard let upstreamID = request.idBytes else { return nil }
        let token = request.routing.progressToken
        let input = OpenInput(peer: peer, upstreamID: upstreamID, progressToken: request.json.slice(token))
        guard let id = register(input) else { return nil }
        var splices = [Splice(request.id, .string(id))]
        if token.isPresent { splices.append(Splice(token, .string(id))) }
        var bytes = ByteBuffer()
        bytes.write(request.bytes, splicing: splices)
        return bytes
    }

    /// Gives a server's request the session's own id; nil when too many wait.
    func register(_ input: OpenInput) -> String? {
        let limit = gateway.settings.maxOpenInputs
        return state.withLockedValue { state -> String? in
            guard state.inputs.count < limit, !state.isEnded else { return nil }
            // The instance's tag keeps an answer that comes after a restart from being taken for one to a newer request.
            let id = "\(gateway.inputTag)-\(state.nextInput)"
            state.nextInput += 1
            state.inputs[id] = input
            return id
        }
    }

    /// The client's answer to a server's request. False when nobody waits for it.
    func answerInput(_ response: Message) -> Bool {
        guard let id = response.json.string(response.id), let input = state.withLockedValue({ $0.inputs.removeValue(forKey: id) })
        else { return false }
        if let answer = input.answer {
            answer(response)
            return true
        }
        var bytes = ByteBuffer()
        bytes.write(response.bytes, splicing: [Splice(response.id, .bytes(input.upstreamID))])
        if response.hasLineBreaks { bytes.replaceLineBreaks() }
        input.peer.respond(bytes, to: input.upstreamID)
        return true
    }

    /// The client reports progress on a server's request.
    func forwardInputProgress(_ notification: Message) {
        let token = notification.param("progressToken")
        guard let id = notification.json.string(token), let input = state.withLockedValue({ $0.inputs[id] }),
            let original = input.progressToken
        else { return }
        var bytes = ByteBuffer()
        bytes.write(notification.bytes, splicing: [Splice(token, .bytes(original))])
        if notification.hasLineBreaks { bytes.replaceLineBreaks() }
        input.peer.notify(bytes)
    }

    /// A server took back its request: the `notifications/cancelled` for the client, with the session's id in it.
    func cancelInput(_ notification: Message, from peer: UpstreamPeer) -> ByteBuffer? {
        let span = notification.param("requestId")
        guard let upstreamID = notification.json.slice(span) else { return nil }
        let id = state.withLockedValue { state -> String? in
            guard let id = state.inputs.first(where: { $0.value.peer === peer && $0.value.upstreamID == upstreamID })?.key else {
                return nil
            }
            state.inputs.removeValue(forKey: id)
            return id
        }
        guard let id else { return nil }
        var bytes = ByteBuffer()
        bytes.write(notification.bytes, splicing: [Splice(span, .string(id))])
        return bytes
    }

    /// Forgets the requests of a server that is gone.
    func dropInputs(of peer: UpstreamPeer) {
        state.withLockedValue { state in state.inputs = state.inputs.filter { $0.value.peer !== peer } }
    }
}
