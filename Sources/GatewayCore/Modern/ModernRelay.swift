import DequeModule
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Stands between an exchange and a modern client's requests: the first one, and those that bring the input that a legacy server asked for.
///
/// To the exchange it is the client's connection. When the server asks the client for something, the request at hand is answered with an
/// `InputRequiredResult` and the exchange is parked: it goes on when the client comes back with `inputResponses` and the `requestState` it was
/// given (2026-07-28, basic/patterns/mrtr).
final class ModernRelay: ExchangeSink {
    private let gateway: Gateway
    let session: Session
    private let state: NIOLockedValueBox<State>

    private struct State {
        /// Where the request at hand is answered; nil while parked.
        var sink: (any ExchangeSink)?
        /// Its raw id.
        var requestID: ByteBuffer
        /// Its raw progress token.
        var progressToken: ByteBuffer?
        /// Counts the requests of the client's that belong to the exchange.
        var attachment = 1
        var exchange: Exchange?
        /// What the server asked and the client has not answered, in the order it was asked.
        var inputs: [Input] = []
        /// What the client has answered to whoever asked before; each answer is good for one question.
        var answers: [KnownAnswer]
        /// What the server was answered, in this order, as much as is kept; nothing of a request that must not be worked on twice.
        var given: [KnownAnswer] = []
        var isRepeatable = false
        /// The final event of an exchange that ended while it was parked.
        var outcome: ExchangeEvent?
        var isOver = false
        /// Events that another thread is passing on.
        var events = Deque<ExchangeEvent>()
        var isPassingOn = false
        var parked: ParkedExchange?
    }

    private struct Input {
        /// The session's id of the server's request: the key among `inputRequests`.
        let key: String
        let request: Message

        var asked: AskedInput { AskedInput(key: key, request: request) }
    }

    init(
        gateway: Gateway, session: Session, requestID: ByteBuffer, progressToken: ByteBuffer?, sink: any ExchangeSink,
        answers: [KnownAnswer] = []
    ) {
        self.gateway = gateway
        self.session = session
        state = NIOLockedValueBox(State(sink: sink, requestID: requestID, progressToken: progressToken, answers: answers))
    }

    func begins(_ exchange: Exchange) { state.withLockedValue { $0.exchange = exchange } }

    // MARK: From the exchange

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        let isFirst = state.withLockedValue { state in
            state.events.append(event)
            defer { state.isPassingOn = true }
            return !state.isPassingOn
        }
        if isFirst { passOn(exchange) }
    }

    /// Passes on what has come, one event at a time and in order, whoever else adds to it.
    private func passOn(_ exchange: Exchange) {
        while true {
            let next = state.withLockedValue { state -> ExchangeEvent? in
                if let event = state.events.popFirst() { return event }
                state.isPassingOn = false
                return nil
            }
            guard let event = next else { return }
            deliver(event, of: exchange)
        }
    }

    private func deliver(_ event: ExchangeEvent, of exchange: Exchange) {
        switch event {
        case .notification(let message): deliver(notification: message, of: exchange)
        case .inputRequired(let message): ask(message, exchange)
        case .result, .error, .cancelled: deliver(final: event, of: exchange)
        }
    }

    private func deliver(notification message: ByteBuffer, of exchange: Exchange) {
        guard let parsed = try? Message.parse(message) else { return }
        let method = parsed.methodName
        if method == .cancelled { return withdraw(parsed) }
        let (sink, attachment, token) = state.withLockedValue { ($0.sink, $0.attachment, $0.progressToken) }
        // Nobody listens while the exchange is parked; notifications belong to a request at hand.
        guard let sink, method.isRequestScoped else { return }
        guard attachment > 1, method == .progress else { return sink.emit(.notification(message), of: exchange) }
        // The client's later request may have another token, or none.
        guard let token else { return }
        var bytes = ByteBuffer()
        bytes.write(message, splicing: [Splice(parsed.param("progressToken"), .bytes(token))])
        sink.emit(.notification(bytes), of: exchange)
    }

    /// The server takes back what it asked.
    private func withdraw(_ cancelled: Message) {
        guard let key = cancelled.json.string(cancelled.param("requestId")) else { return }
        state.withLockedValue { $0.inputs.removeAll { $0.key == key } }
    }

    private func deliver(final event: ExchangeEvent, of exchange: Exchange) {
        let (sink, attachment, id, parked) = state.withLockedValue {
            state -> ((any ExchangeSink)?, Int, ByteBuffer, ParkedExchange?) in
            if state.sink == nil { state.outcome = event }
            state.isOver = true
            defer { state.sink = nil }
            return (state.sink, state.attachment, state.requestID, state.parked)
        }
        session.endModern(mayReuse: exchange.isAnswered)
        guard let sink else { return }
        if let parked {
            var outcome = ParkedExchanges.Outcome.resumed
            if case .cancelled = event { outcome = .cancelled }
            gateway.parked.remove(parked, outcome: outcome)
        }
        sink.emit(attachment == 1 ? event : event.answering(id), of: exchange)
    }

    // MARK: The server needs something of the client

    private func ask(_ message: ByteBuffer, _ exchange: Exchange) {
        guard let request = try? Message.parse(message), let key = request.json.string(request.id) else { return }
        if let result = takeAnswer(to: request) { return answer(key, result) }
        let isAttached = state.withLockedValue { state in
            state.inputs.append(Input(key: key, request: request))
            return state.sink != nil
        }
        if isAttached { park(exchange) }
    }

    /// What the client has answered to the same question before.
    private func takeAnswer(to request: Message) -> ByteBuffer? {
        guard state.withLockedValue({ !$0.answers.isEmpty }) else { return nil }
        let digest = AskedInput.digest(of: request)
        return state.withLockedValue { state in
            guard let index = state.answers.firstIndex(where: { $0.digest == digest }) else { return nil }
            let answer = state.answers.remove(at: index)
            guard answer.result.readableBytes > 0 else { return nil }
            state.given.append(answer)
            return answer.result
        }
    }

    /// Gives a server the client's answer.
    private func answer(_ key: String, _ result: ByteBuffer) {
        let response = MessageWriter.response(id: .jsonString(key), result: result)
        if let message = try? Message.parse(response) { _ = session.answerInput(message) }
    }

    /// Answers the request at hand with what the server asks.
    private func park(_ exchange: Exchange) {
        guard !gateway.isDraining else { return exchange.fail(.draining, "the gateway is shutting down; send the request again") }
        let known = state.withLockedValue { $0.parked }
        guard let parked = known ?? gateway.parked.add(self) else {
            LimitHits.count(.maxParkedExchanges)
            let limit = gateway.settings.maxParkedExchanges
            return exchange.fail(
                .limit(.maxParkedExchanges, retryAfter: 1),
                "\(limit) requests wait for their clients' input already (limits.maxParkedExchanges); try again later")
        }
        let isRepeatable = gateway.isRepeatable(exchange.request, server: session.server)
        let (sink, id, inputs, attachment, answered) = state.withLockedValue {
            state -> ((any ExchangeSink)?, ByteBuffer, [Input], Int, [KnownAnswer]) in
            state.parked = parked
            state.isRepeatable = isRepeatable
            defer { state.sink = nil }
            // What is known and was not asked again may be yet, by whoever is next.
            return (state.sink, state.requestID, state.inputs, state.attachment, KnownAnswer.kept(of: state.given + state.answers))
        }
        guard let sink else { return }
        let asked = isRepeatable ? inputs.map(\.asked) : []
        let token = exchange.seal(gateway.parkedState(of: parked, attachment: attachment, asked: asked, answered: answered))
        var result = ByteBuffer(string: "{\"resultType\":\"input_required\",\"inputRequests\":{")
        for (index, input) in inputs.enumerated() {
            if index > 0 { result.writeStaticString(",") }
            result.writeJSONString(input.key)
            result.writeStaticString(":")
            result.writeImmutableBuffer(MessageWriter.inputRequest(input.request))
        }
        result.writeStaticString("},\"requestState\":")
        result.writeJSONString(token)
        result.writeStaticString("}")
        gateway.parked.wait(parked)
        sink.emit(.result(MessageWriter.response(id: id, result: result)), of: exchange)
    }

    // MARK: From the client

    /// The client comes back: its answers go to the server, and what the server says from now on answers this request.
    ///
    /// - Returns: which of the exchange's requests this is; nil when the state it brought was used before.
    func resume(
        attachment: Int, requestID: ByteBuffer, progressToken: ByteBuffer?, responses: [(key: String, result: ByteBuffer)],
        sink: any ExchangeSink
    ) -> Int? {
        let (exchange, next, answered, outcome) = state.withLockedValue {
            state -> (Exchange?, Int?, [(String, ByteBuffer)], ExchangeEvent?) in
            guard state.sink == nil, state.attachment == attachment, let exchange = state.exchange, !state.isOver || state.outcome != nil
            else { return (nil, nil, [], nil) }
            state.attachment += 1
            state.requestID = requestID
            state.progressToken = progressToken
            state.sink = sink
            let asked = Set(state.inputs.map(\.key))
            // What was not asked is ignored (basic/patterns/mrtr, "Error Handling").
            let answered = responses.filter { asked.contains($0.key) }
            let keys = Set(answered.map(\.key))
            if state.isRepeatable {
                let given = state.inputs.filter { keys.contains($0.key) }.map(\.asked)
                state.given = KnownAnswer.kept(of: state.given + KnownAnswer.of(answered, to: given))
            }
            state.inputs.removeAll { keys.contains($0.key) }
            defer { state.outcome = nil }
            return (exchange, state.attachment, answered, state.outcome)
        }
        guard let exchange, let next else { return nil }
        if let outcome {
            deliver(final: outcome, of: exchange)
            return next
        }
        for (key, result) in answered { answer(key, result) }
        // What is still open is asked again.
        let isStillAsked = state.withLockedValue { !$0.inputs.isEmpty && $0.sink != nil }
        if isStillAsked { park(exchange) }
        return next
    }

    func cancel(attachment: Int) {
        exchange(at: attachment)?.cancel(reason: .jsonString("the client closed the response stream"))
    }

    func abandon(attachment: Int) { exchange(at: attachment)?.fail(.drainTimeout) }

    /// The exchange, while it is answered to that request of the client's.
    private func exchange(at attachment: Int) -> Exchange? {
        state.withLockedValue { state in
            guard state.attachment == attachment, state.sink != nil else { return nil }
            return state.exchange
        }
    }

    /// Nobody came back in time.
    func expire() {
        let exchange = state.withLockedValue { $0.sink == nil ? $0.exchange : nil }
        exchange?.cancel(reason: .jsonString("the client did not bring its input in time"))
    }
}

extension ExchangeEvent {
    /// The same final event with another request's raw id.
    fileprivate func answering(_ id: ByteBuffer) -> ExchangeEvent {
        guard let message = try? Message.parse(message) else { return self }
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: [Splice(message.id, .bytes(id))])
        return switch self {
        case .result: .result(bytes)
        case .error(_, let cause): .error(bytes, cause)
        default: .cancelled(bytes)
        }
    }
}

extension MCPProtocol.Method {
    /// Whether a notification may stand on the response stream of a modern request. What the gateway does not know passes.
    fileprivate var isRequestScoped: Bool {
        switch self {
        case .tasksStatus, .elicitationComplete, .rootsListChanged, .initialized: false
        default: true
        }
    }
}
