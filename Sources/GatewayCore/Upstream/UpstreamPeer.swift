import DequeModule
import Synchronization
public import Logging
public import MCPProtocol
public import NIOCore

/// Hears of what a peer says by itself. Called on the peer's event loop.
public protocol UpstreamPeerOwner: AnyObject, Sendable {
    /// The handshake is done. Requests that wait are sent after what the owner sends now.
    func peerBecameReady(_ peer: UpstreamPeer, info: UpstreamInfo)
    /// The peer's server is gone; `willRestart` tells whether the peer tries again by itself.
    func peerWentDown(_ peer: UpstreamPeer, reason: String, willRestart: Bool)
    /// The server asks the client for something.
    func peer(_ peer: UpstreamPeer, receivedRequest request: Message)
    /// A notification other than progress of a request.
    func peer(_ peer: UpstreamPeer, receivedNotification notification: Message)
    /// Lists may have changed without a word of it.
    func peer(_ peer: UpstreamPeer, mayHaveMissed methods: [MCPProtocol.Method])
    /// Runs `body` when everything that the peer said before has been passed on to the clients and the event log.
    func peer(_ peer: UpstreamPeer, whenPassedOn body: @escaping @Sendable () -> Void)
}

extension UpstreamPeerOwner {
    /// For an owner that keeps no lists.
    public func peer(_ peer: UpstreamPeer, mayHaveMissed methods: [MCPProtocol.Method]) {}
    /// For an owner that passes nothing on.
    public func peer(_ peer: UpstreamPeer, whenPassedOn body: @escaping @Sendable () -> Void) { body() }
}

/// How a peer introduces itself and how patient it is.
public struct UpstreamPeerSettings: Sendable {
    /// Raw `params` of `initialize`.
    public let initializeParams: ByteBuffer
    /// From the start of the link to the end of the handshake.
    public let handshakeTimeout: TimeAmount
    /// Requests in flight and waiting, together.
    public let maxInFlight: Int
    /// Start again by itself after a crash, even if nobody waits.
    public let restartsByItself: Bool
    /// How long a client may take to answer sampling, elicitation or roots before the call that asked counts as silent again.
    public let clientInputTimeout: TimeAmount
    /// Which era the server is taken to be of.
    public let era: EraPolicy
    /// How long a server may take to answer `server/discover` before it is asked to `initialize`; at most half of `handshakeTimeout` is waited.
    public let probeTimeout: TimeAmount
    /// Raw members of `_meta` that a modern server gets with the requests of the gateway's own.
    let requestMembers: ByteBuffer
    /// The same with the extension of tasks.
    let taskRequestMembers: ByteBuffer
    /// What the conversations with the server have found out together.
    let knownEra: KnownEra

    public init(
        initializeParams: ByteBuffer, handshakeTimeout: TimeAmount, maxInFlight: Int, restartsByItself: Bool,
        clientInputTimeout: TimeAmount = .minutes(30), era: EraPolicy = .auto, probeTimeout: TimeAmount = .seconds(5)
    ) {
        self.init(
            initializeParams: initializeParams, handshakeTimeout: handshakeTimeout, maxInFlight: maxInFlight,
            restartsByItself: restartsByItself, clientInputTimeout: clientInputTimeout, era: era, probeTimeout: probeTimeout,
            knownEra: KnownEra())
    }

    init(
        initializeParams: ByteBuffer, handshakeTimeout: TimeAmount, maxInFlight: Int, restartsByItself: Bool,
        clientInputTimeout: TimeAmount = .minutes(30), era: EraPolicy, probeTimeout: TimeAmount, knownEra: KnownEra
    ) {
        self.era = era
        self.probeTimeout = min(probeTimeout, .nanoseconds(handshakeTimeout.nanoseconds / 2))
        self.knownEra = knownEra
        requestMembers = RequestMetadata.members(ofInitialize: initializeParams)
        taskRequestMembers = RequestMetadata.members(ofInitialize: initializeParams, declaresTasks: true)
        self.clientInputTimeout = clientInputTimeout
        self.initializeParams = initializeParams
        self.handshakeTimeout = handshakeTimeout
        self.maxInFlight = maxInFlight
        self.restartsByItself = restartsByItself
    }
}

/// One conversation with one MCP server: handshake, requests with ids of its own, restarts.
///
/// Everything that changes is confined to `eventLoop`; functions marked so may be called from anywhere and hop there.
public final class UpstreamPeer: Sendable {
    public let name: String
    public let eventLoop: any EventLoop
    let settings: UpstreamPeerSettings
    let factory: any UpstreamLinkFactory
    let logger: Logger
    public let metrics: UpstreamMetrics
    private let openCalls = Atomic<Int>(0)
    /// In nanoseconds of the loop's clock.
    private let lastUse: Atomic<UInt64>
    let core: NIOLoopBoundBox<UpstreamPeerCore>

    /// - Parameters:
    ///   - backoff: when to start again after a crash.
    ///   - metrics: what the peers of one upstream share; by default its own.
    public init(
        name: String, settings: UpstreamPeerSettings, factory: any UpstreamLinkFactory, eventLoop: any EventLoop,
        backoff: RestartBackoff, logger: Logger, owner: any UpstreamPeerOwner, metrics: UpstreamMetrics? = nil
    ) {
        self.name = name
        self.settings = settings
        self.factory = factory
        self.eventLoop = eventLoop
        self.logger = logger
        self.metrics = metrics ?? UpstreamMetrics(upstream: name)
        lastUse = Atomic(eventLoop.now.uptimeNanoseconds)
        // The core is created here and from then on touched on the loop only.
        self.core = NIOLoopBoundBox.makeBoxSendingValue(
            UpstreamPeerCore(backoff: backoff, owner: owner, now: eventLoop.now), eventLoop: eventLoop)
    }

    /// Runs `body` on the loop: at once when already there.
    func onLoop(_ body: @escaping @Sendable (UpstreamPeerCore) -> Void) {
        if eventLoop.inEventLoop {
            body(core.value)
        } else {
            eventLoop.execute { body(self.core.value) }
        }
    }

    // MARK: Use

    /// Whether requests have no outcome yet, those that are only on their way to the loop included.
    var hasOpenCalls: Bool { openCalls.load(ordering: .acquiring) > 0 }

    /// When a request was last sent or answered.
    var lastUsed: NIODeadline { .uptimeNanoseconds(lastUse.load(ordering: .relaxed)) }

    func wasUsed(at now: NIODeadline) { lastUse.store(now.uptimeNanoseconds, ordering: .relaxed) }

    /// Keeps the peer from being taken for idle until `release()`.
    func retain() { openCalls.wrappingAdd(1, ordering: .acquiringAndReleasing) }

    func release() { openCalls.wrappingSubtract(1, ordering: .acquiringAndReleasing) }

    private func callBegan() {
        retain()
        metrics.callBegan()
    }

    func callEnded() {
        metrics.callEnded()
        release()
    }

    // MARK: From anywhere

    /// Starts the server if it does not run.
    public func start() {
        onLoop { core in
            core.wantsToRun = true
            self.connectIfNeeded(core)
        }
    }

    /// Sends a request; the server is started for it if need be.
    public func send(_ request: UpstreamRequest, handler: any UpstreamCallHandler) {
        callBegan()
        if eventLoop.inEventLoop {
            enqueue(request, handler: handler, core: core.value)
        } else {
            eventLoop.execute { self.enqueue(request, handler: handler, core: self.core.value) }
        }
    }

    /// Cancels a request: the server is told, the handler is not called again.
    public func cancel(call: UInt64, reason: ByteBuffer?) {
        onLoop { self.cancel(call: call, reason: reason, core: $0) }
    }

    /// Sends a notification or a response; dropped when the server does not run, and when it is modern: its revision has none for it.
    public func notify(_ message: ByteBuffer) {
        onLoop { core in
            guard case .ready = core.phase, let link = core.link, core.info?.era == .legacy else { return }
            link.send(message, call: nil)
        }
    }

    /// Answers the request of the server's with that raw id; the answer carries the same id.
    public func respond(_ response: ByteBuffer, to id: ByteBuffer) {
        onLoop { core in
            core.openInputs.remove(id)
            guard case .ready = core.phase, let link = core.link else { return }
            // The time the client took is not held against the server.
            for (call, entry) in core.calls { core.calls[call]?.deadline = self.eventLoop.now + entry.timeout }
            link.send(response, call: nil)
        }
    }

    /// A request of the gateway's own.
    public func request(method: String, params: ByteBuffer?, timeout: TimeAmount = .seconds(30)) -> EventLoopFuture<Message> {
        let promise = eventLoop.makePromise(of: Message.self)
        let bytes = MessageWriter.request(id: 0, method: method, params: params)
        do throws(MessageError) {
            let message = try Message.parse(bytes)
            let request = UpstreamRequest(message: message, splices: [], progressToken: .absent, timeout: timeout)
            send(request, handler: OwnCall(promise: promise))
        } catch {
            promise.fail(error.rpcError)
        }
        return promise.futureResult
    }

    /// Ends the conversation for good: the server is stopped in an orderly way.
    public func stop() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        onLoop { self.stop($0, promise: promise) }
        return promise.futureResult
    }

    /// Stops the server if nothing was asked of it for `idle`; it is started again by the next request.
    public func stopIfIdle(for idle: TimeAmount) -> EventLoopFuture<Bool> {
        eventLoop.submit {
            let core = self.core.value
            guard case .ready = core.phase, !self.hasOpenCalls, self.eventLoop.now - self.lastUsed >= idle else { return false }
            core.wantsToRun = false
            core.phase = .pausing
            core.link?.close()
            return true
        }
    }
}

/// What of a peer changes; confined to the peer's event loop.
final class UpstreamPeerCore {
    enum Phase {
        /// Nothing runs.
        case idle
        /// A link is being made, or the handshake is under way.
        case connecting(attempt: UInt64)
        case ready
        /// The server was not used and is being stopped; requests wait and start it again.
        case pausing
        /// After a crash, before the next attempt.
        case waiting
        /// Too many crashes: requests fail until the time is over.
        case givenUp(until: NIODeadline, reason: String)
        case stopping
        case stopped
    }

    struct Call {
        let handler: any UpstreamCallHandler
        /// Kept while the request may have to be sent again.
        var request: UpstreamRequest?
        var deadline: NIODeadline
        let timeout: TimeAmount
        /// When it was written to the link; nil while it waits.
        var sentAt: NIODeadline?
        var wasResent = false
    }

    struct Subscriber {
        let target: Listening.Target
        let completion: @Sendable (Bool) -> Void
    }

    var phase = Phase.idle
    var link: (any UpstreamLink)?
    var calls: [UInt64: Call] = [:]
    var waiting = Deque<UInt64>()
    /// Exchanges that were answered with a task and may still make progress, by call; oldest first in `taskOrder`.
    var tasks: [UInt64: Exchange] = [:]
    var taskOrder = Deque<UInt64>()
    var nextCall: UInt64 = 1
    var attempt: UInt64 = 0
    /// While it is under way.
    var handshake: Handshake?
    /// The last start ended with the probe: this one is made without.
    var skipsProbe = false
    var info: UpstreamInfo?
    var readySince: NIODeadline?
    var wantsToRun = false
    var backoff: RestartBackoff
    var deadlineTask: RepeatedTask?
    var stopPromises: [EventLoopPromise<Void>] = []
    /// Raw ids of requests of the server to its client that are not answered yet.
    var openInputs: Set<ByteBuffer> = []
    var lastInput: NIODeadline
    /// What a modern server was asked to tell of; nil while none runs.
    var listening: Listening?
    /// Who waits to hear whether a modern server tells of a resource's updates.
    var subscribers: [UInt64: Subscriber] = [:]
    var window = NotificationWindow()
    var unusual = LogThrottle()
    var lastFailure = "it has not finished starting"
    weak var owner: (any UpstreamPeerOwner)?

    init(backoff: RestartBackoff, owner: any UpstreamPeerOwner, now: NIODeadline) {
        lastInput = now
        self.backoff = backoff
        self.owner = owner
    }
}

/// A request that the gateway itself makes.
private final class OwnCall: UpstreamCallHandler {
    let promise: EventLoopPromise<Message>
    init(promise: EventLoopPromise<Message>) { self.promise = promise }
    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) {}
    func upstreamProgressed(_ notification: Message) {}
    func upstreamFailed(_ failure: ExchangeFailure) { promise.fail(failure.error) }
    func upstreamResponded(_ response: Message) {
        guard response.kind == .response else {
            let text = response.json.string(response.json.member("message", of: response.error)) ?? "unknown error"
            let code = response.json.integer(response.json.member("code", of: response.error)) ?? RPCError.Code.internalError.rawValue
            promise.fail(RPCError(code: .init(rawValue: code), message: text))
            return
        }
        promise.succeed(response)
    }
}
