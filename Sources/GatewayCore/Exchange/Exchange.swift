import Logging
public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// One client request and all that happens until its final response.
public final class Exchange: Sendable {
    /// The session it belongs to.
    public let session: Session
    /// The client's request.
    public let request: Message
    /// Its method.
    public let method: MCPProtocol.Method
    /// What is known of the request besides its message.
    public let context: RequestContext
    let sink: any ExchangeSink
    /// The state of its server's own that a modern client's retry brought, opened.
    let carriedState: RequestState?
    /// Raw progress token of the client (basic/utilities/progress), `.absent` when it wants no progress.
    let progressToken: JSONSpan
    private let state: NIOLockedValueBox<State>

    private struct State {
        var peer: UpstreamPeer?
        var call: UInt64?
        var isOver = false
        var isAnswered = false
        /// A capability that its server needed and its client did not declare.
        var lackedCapability: StaticString?
        var observer = Observer()
        /// What a modern server asks of its client.
        var rounds: InputRounds?
        /// Where it is counted: the gateway's own until an upstream has it.
        var counters: RequestCounters
    }

    /// Who looks at how an exchange ends.
    private struct Observer {
        /// Called with the upstream's result before the client sees it; what it returns is what the client sees.
        var transform: (@Sendable (Message) -> ByteBuffer?)?
        /// Called when it ends without a result of the upstream's.
        var onFailure: (@Sendable () -> Void)?
    }

    init(
        session: Session, request: Message, method: MCPProtocol.Method, context: RequestContext, sink: any ExchangeSink,
        carriedState: RequestState? = nil
    ) {
        self.carriedState = carriedState
        self.session = session
        self.request = request
        self.method = method
        self.context = context
        self.sink = sink
        self.progressToken = request.routing.progressToken
        self.state = NIOLockedValueBox(State(counters: session.gateway.ownCounters))
    }

    /// The trace it belongs to: of the message itself, else of the request that brought it.
    public var trace: TraceContext? { TraceContext(meta: request) ?? context.trace }

    /// From now on it is counted as the upstream's.
    func isCounted(by counters: RequestCounters) { state.withLockedValue { $0.counters = counters } }

    /// Lets somebody look at how it ends: at the result before the client sees it, or at a failure. False when it is over already.
    func observe(transform: (@Sendable (Message) -> ByteBuffer?)? = nil, onFailure: (@Sendable () -> Void)? = nil) -> Bool {
        state.withLockedValue { state in
            guard !state.isOver else { return false }
            state.observer = Observer(transform: transform, onFailure: onFailure)
            return true
        }
    }

    /// It has ended, for whatever reason.
    var isOver: Bool { state.withLockedValue { $0.isOver } }

    /// Its server asked for something that its client did not declare.
    func lacked(_ capability: StaticString) { state.withLockedValue { $0.lackedCapability = capability } }

    var lackedCapability: StaticString? { state.withLockedValue { $0.lackedCapability } }

    /// Whether its server has answered it.
    var isAnswered: Bool { state.withLockedValue { $0.isAnswered } }

    var idBytes: ByteBuffer { request.idBytes ?? ByteBuffer(string: "null") }

    /// The rounds of input that its server needs; made by the first. Nil when it is over.
    func rounds(_ make: () -> InputRounds) -> InputRounds? {
        state.withLockedValue { state in
            guard !state.isOver else { return nil }
            let rounds = state.rounds ?? make()
            state.rounds = rounds
            return rounds
        }
    }

    /// The peer that works on it.
    var peer: UpstreamPeer? { state.withLockedValue { $0.peer } }

    /// Ends it; nil when it has ended before.
    ///
    /// - Parameter isAnswered: its server has answered, and so is not at work on it any more.
    private func end(_ outcome: RequestOutcome, isAnswered: Bool = false) -> Observer? {
        let ended = state.withLockedValue { state -> (counters: RequestCounters, observer: Observer, rounds: InputRounds?)? in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.isAnswered = isAnswered
            defer {
                state.observer = Observer()
                state.rounds = nil
            }
            return (state.counters, state.observer, state.rounds)
        }
        guard let ended else { return nil }
        ended.rounds?.exchangeEnded()
        ended.counters.count(method, outcome)
        log(outcome, upstream: ended.counters.upstream)
        session.exchangeEnded(self)
        return ended.observer
    }

    private func log(_ outcome: RequestOutcome, upstream: String) {
        let logger = session.gateway.logger
        // Asked first: the metadata of a line that nobody writes is not worth making.
        guard logger.logLevel <= .debug else { return }
        var metadata: Logger.Metadata = [
            "session": "\(session.id.shortened)", "method": "\(method.name.prefix(64))", "upstream": "\(upstream)",
            "outcome": "\(outcome.label)",
        ]
        if let id = context.id { metadata["request"] = "\(id)" }
        if let trace { metadata["trace"] = "\(trace.traceID)" }
        logger.debug("exchange", metadata: metadata)
    }

    /// Ends with a raw `result`; `hint` tells a modern client how long it may keep it.
    func succeed(_ result: ByteBuffer, hint: CacheHint = .none) {
        guard end(.ok) != nil else { return }
        let result = session.isModern ? session.gateway.modernResult(result, of: method, hint: hint) : result
        sink.emit(.result(MessageWriter.response(id: idBytes, result: result)), of: self)
    }

    /// Ends with a raw `result` that is complete in the client's era.
    func succeed(complete result: ByteBuffer) {
        guard end(.ok) != nil else { return }
        sink.emit(.result(MessageWriter.response(id: idBytes, result: result)), of: self)
    }

    /// Ends with an error of the gateway's.
    func fail(_ failure: ExchangeFailure) {
        guard let observer = end(.error) else { return }
        observer.onFailure?()
        let error = session.isModern ? failure.error.modern : failure.error
        sink.emit(.error(error.response(id: idBytes), failure.cause), of: self)
    }

    func fail(_ cause: ExchangeFailure.Cause, _ message: String) { fail(ExchangeFailure(cause, message)) }

    /// The client cancelled it. `reason` is a raw JSON string.
    func cancel(reason: ByteBuffer?) {
        let (peer, call) = state.withLockedValue { ($0.peer, $0.call) }
        guard let observer = end(.cancelled) else { return }
        observer.onFailure?()
        if let peer, let call { peer.cancel(call: call, reason: reason) }
        sink.emit(.cancelled(ExchangeFailure(.cancelled, "Request cancelled").error.response(id: idBytes)), of: self)
    }

    /// A message of the upstream's for the client, on this exchange's stream. False when the exchange is over.
    func emit(_ event: ExchangeEvent) -> Bool {
        guard !state.withLockedValue({ $0.isOver }) else { return false }
        if case .notification(let message) = event { session.publish(message) }
        sink.emit(event, of: self)
        return true
    }
}

extension Exchange: UpstreamCallHandler {
    public var exchange: Exchange? { self }

    public func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) {
        let wasCancelled = state.withLockedValue { state in
            state.peer = peer
            state.call = call
            return state.isOver
        }
        if wasCancelled { peer.cancel(call: call, reason: nil) }
    }

    public func upstreamProgressed(_ notification: Message) {
        guard let bytes = withOwnToken(notification) else { return }
        _ = emit(.notification(bytes))
    }

    /// Progress of a task that the request started: the token stays valid when the request itself was answered (2025-11-25,
    /// basic/utilities/tasks, "Progress").
    func taskProgressed(_ notification: Message) {
        if let bytes = withOwnToken(notification) { session.sendUnsolicited(bytes) }
    }

    /// Whether progress may come after the answer.
    var mayBecomeTask: Bool { request.routing.task.isPresent && progressToken.isPresent }

    private func withOwnToken(_ notification: Message) -> ByteBuffer? {
        guard progressToken.isPresent, let token = request.json.slice(progressToken) else { return nil }
        var bytes = ByteBuffer()
        bytes.write(notification.bytes, splicing: [Splice(notification.param("progressToken"), .bytes(token))])
        return bytes
    }

    public func upstreamResponded(_ response: Message) {
        guard let observer = end(response.kind == .response ? .ok : .error, isAnswered: true) else { return }
        if response.kind == .response, let transform = observer.transform, let result = transform(response) {
            return answer(MessageWriter.response(id: idBytes, result: result), by: response)
        }
        var bytes = ByteBuffer()
        var splices = [Splice(response.id, .bytes(idBytes))]
        splices += session.isModern ? modernSplices(response) : legacySplices(response)
        bytes.write(response.bytes, splicing: splices)
        guard response.kind == .errorResponse else { return answer(bytes, by: response) }
        if session.isModern, let result = EraBridge.inputRequired(byError: response.error, in: response.json) {
            return sink.emit(.result(MessageWriter.response(id: idBytes, result: result)), of: self)
        }
        observer.onFailure?()
        if session.isModern, let error = missingCapability(response) {
            return sink.emit(.error(error.response(id: idBytes), .answered(code: error.code.rawValue)), of: self)
        }
        sink.emit(.error(bytes, session.gateway.cause(ofAnswer: response, to: self)), of: self)
    }

    /// Gives the client what its server's `response` has become. A task in it can be asked for from then on, wherever the client asks.
    private func answer(_ bytes: ByteBuffer, by response: Message) {
        guard session.isModern, session.gateway.cluster != nil, let peer else { return sink.emit(.result(bytes), of: self) }
        session.gateway.noteTask(in: response, of: peer.name) { self.sink.emit(.result(bytes), of: self) }
    }

    public func upstreamFailed(_ failure: ExchangeFailure) { fail(failure) }
}
