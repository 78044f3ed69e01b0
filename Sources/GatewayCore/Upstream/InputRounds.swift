import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What a modern server asks before it answers a request of a legacy client (2026-07-28, basic/patterns/mrtr).
///
/// Each input request of an `InputRequiredResult` becomes a request of the session's to its client; when all are answered the client's request
/// is sent again, with `inputResponses` and the server's `requestState`.
final class InputRounds: Sendable {
    private let ownExchange: Exchange
    private let peer: UpstreamPeer
    /// Who hears of the answer.
    private let handler: any UpstreamCallHandler
    /// What was sent first; every retry is made of it.
    private let request: UpstreamRequest
    private let state = NIOLockedValueBox(State())

    private struct State {
        var round = 0
        /// Raw `requestState` of the round at hand.
        var requestState: ByteBuffer?
        /// Raw keys of the round's requests in the server's order, with the client's answers.
        var inputs: [(key: ByteBuffer, result: ByteBuffer?)] = []
        /// Ids of the requests that the client has not answered.
        var open: Set<String> = []
        var isOver = false
    }

    init(exchange: Exchange, peer: UpstreamPeer, request: UpstreamRequest, handler: any UpstreamCallHandler) {
        ownExchange = exchange
        self.handler = handler
        self.peer = peer
        self.request = request
    }

    /// The server needs input. On the peer's event loop.
    func required(by response: Message) {
        let json = response.json
        let round = state.withLockedValue { state in
            state.round += 1
            state.requestState = json.slice(json.member("requestState", of: response.result))
            state.inputs = []
            return state.round
        }
        let limit = ownExchange.session.gateway.settings.maxInputRounds
        guard round <= limit else {
            LimitHits.count(.maxInputRounds)
            return ownExchange.fail(
                .upstreamBroken,
                "upstream \"\(peer.name)\" asked for input \(limit) times and still gave no answer (limits.maxInputRounds)"
            )
        }
        var inputs: [(key: ByteBuffer, request: InputRequest)] = []
        var problem: String?
        json.forEachMemberSpan(of: json.member("inputRequests", of: response.result)) { key, value in
            guard let raw = json.slice(JSONSpan(start: key.start - 1, end: key.end + 1)) else { return }
            switch InputRequest.read(value, in: json, for: ownExchange.session) {
            case .success(let request): inputs.append((raw, request))
            case .failure(let refusal): problem = problem ?? refusal.reason
            }
        }
        if let problem { return ownExchange.fail(.upstreamBroken, "upstream \"\(peer.name)\" asked for input: \(problem)") }
        guard !inputs.isEmpty else { return retryLater(round) }
        ask(inputs, round: round)
    }

    /// Without a question the server only wants to be asked again.
    private func retryLater(_ round: Int) {
        guard state.withLockedValue({ $0.requestState }) != nil else {
            return ownExchange.fail(.upstreamBroken, "upstream \"\(peer.name)\" asked for input and did not say which")
        }
        peer.eventLoop.scheduleTask(in: .milliseconds(min(1000, 10 << Int64(min(round, 7))))) { self.retry() }
    }

    private func ask(_ inputs: [(key: ByteBuffer, request: InputRequest)], round: Int) {
        let session = ownExchange.session
        state.withLockedValue { $0.inputs = inputs.map { ($0.key, nil) } }
        var messages: [ByteBuffer] = []
        for (index, input) in inputs.enumerated() {
            let open = Session.OpenInput(peer: peer, upstreamID: input.key, progressToken: nil) { response in
                self.answered(index, round: round, by: response)
            }
            guard let id = session.register(open) else {
                withdraw()
                return ownExchange.fail(.internalError, "too many requests wait for the client")
            }
            state.withLockedValue { _ = $0.open.insert(id) }
            messages.append(input.request.message(id: id))
        }
        peer.eventLoop.scheduleTask(in: peer.settings.clientInputTimeout) { self.timedOut(round) }
        for message in messages { _ = ownExchange.emit(.inputRequired(message)) }
        // It may have ended before its requests were listed.
        if ownExchange.isOver { withdraw() }
    }

    private func answered(_ index: Int, round: Int, by response: Message) {
        let id = response.json.string(response.id)
        guard response.kind == .response else {
            state.withLockedValue { state in if let id { state.open.remove(id) } }
            let code = response.json.integer(response.json.member("code", of: response.error)) ?? RPCError.Code.internalError.rawValue
            withdraw(tellingClient: true)
            return ownExchange.fail(
                .answered(code: code), "the client did not give the input that upstream \"\(peer.name)\" asked for: \(response.errorText)")
        }
        let isComplete = state.withLockedValue { state in
            guard state.round == round, state.inputs.indices.contains(index), !state.isOver else { return false }
            if let id { state.open.remove(id) }
            state.inputs[index].result = response.json.slice(response.result)
            return state.inputs.allSatisfy { $0.result != nil }
        }
        if isComplete { retry() }
    }

    /// Sends the client's request again, with what was learnt.
    private func retry() {
        let (inputs, requestState) = state.withLockedValue { ($0.inputs, $0.requestState) }
        var members = ByteBuffer()
        if !inputs.isEmpty {
            members.writeStaticString("\"inputResponses\":{")
            for (index, input) in inputs.enumerated() {
                if index > 0 { members.writeStaticString(",") }
                members.writeImmutableBuffer(input.key)
                members.writeStaticString(":")
                members.writeImmutableBuffer(input.result ?? ByteBuffer(string: "null"))
            }
            members.writeStaticString("}")
        }
        if let requestState {
            if !inputs.isEmpty { members.writeStaticString(",") }
            members.writeStaticString("\"requestState\":")
            members.writeImmutableBuffer(requestState)
        }
        var bytes = ByteBuffer()
        bytes.write(request.message.bytes, splicing: request.splices + [request.message.paramsInsertion(of: members)])
        do throws(MessageError) {
            let message = try Message.parse(bytes)
            var again = UpstreamRequest(
                message: message, splices: [], progressToken: message.routing.progressToken, timeout: request.timeout)
            again.origin = request.origin
            again.metaMembers = request.metaMembers
            again.declaresTasks = request.declaresTasks
            guard !ownExchange.isOver else { return }
            peer.send(again, handler: handler)
        } catch {
            ownExchange.fail(.internalError, "the request could not be sent again: \(error)")
        }
    }

    // MARK: Ends

    private func timedOut(_ round: Int) {
        let isOpen = state.withLockedValue { $0.round == round && !$0.open.isEmpty && !$0.isOver }
        guard isOpen else { return }
        withdraw(tellingClient: true)
        ownExchange.fail(.upstreamTimeout, "the client did not give the input that upstream \"\(peer.name)\" asked for in time")
    }

    /// The exchange is over: nobody waits for answers any more.
    func exchangeEnded() {
        state.withLockedValue { $0.isOver = true }
        withdraw()
    }

    private func withdraw(tellingClient: Bool = false) {
        let open = state.withLockedValue { state in
            defer { state.open.removeAll() }
            return state.open
        }
        guard !open.isEmpty else { return }
        ownExchange.session.state.withLockedValue { state in
            for id in open { state.inputs.removeValue(forKey: id) }
        }
        guard tellingClient else { return }
        for id in open.sorted() {
            var params = ByteBuffer(string: "{\"requestId\":")
            params.writeJSONString(id)
            params.writeStaticString("}")
            _ = ownExchange.emit(.notification(MessageWriter.notification(method: Method.cancelled.name, params: params)))
        }
    }
}

/// One request among `inputRequests`, fit for a legacy client.
struct InputRequest {
    struct Refusal: Error {
        let reason: String
    }

    let method: Method
    /// Raw JSON.
    let params: ByteBuffer?

    /// Reads one, if the client can be asked it.
    static func read(_ span: JSONSpan, in json: JSONText, for session: Session) -> Result<InputRequest, Refusal> {
        guard let name = json.string(json.member("method", of: span)), let feature = Method(name).clientCapability else {
            return .failure(Refusal(reason: "there is no such request to a client"))
        }
        let params = json.member("params", of: span)
        guard session.declares(feature) else {
            return .failure(Refusal(reason: "\(name) needs the capability \"\(feature)\", which the client did not declare"))
        }
        guard Method(name) == .elicitationCreate, json.equals(json.member("mode", of: params), "\"url\"") else {
            return .success(InputRequest(method: Method(name), params: json.slice(params)))
        }
        guard session.revision >= .v2025_11_25, session.declares(feature, "url") else {
            return .failure(Refusal(reason: "\(name) in \"url\" mode, which the client did not declare"))
        }
        // In 2025-11-25 it has an id, by which its end can be told (client/elicitation, "URL Mode Elicitation Requests").
        guard !json.member("elicitationId", of: params).isPresent else {
            return .success(InputRequest(method: Method(name), params: json.slice(params)))
        }
        var members = ByteBuffer(string: "\"elicitationId\":")
        members.writeJSONString("\(session.gateway.inputTag)-\(UInt64.random(in: .min ... .max))")
        var bytes = ByteBuffer()
        bytes.write(json.bytes, splicing: [json.insertion(of: members, into: params)])
        let length = params.count + bytes.readableBytes - json.bytes.readableBytes
        let named = bytes.getSlice(at: bytes.readerIndex + Int(params.start), length: length)
        return .success(InputRequest(method: Method(name), params: named))
    }

    func message(id: String) -> ByteBuffer {
        var bytes = ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":")
        bytes.writeJSONString(id)
        bytes.writeStaticString(",\"method\":")
        bytes.writeJSONString(method.name)
        if let params {
            bytes.writeStaticString(",\"params\":")
            bytes.writeImmutableBuffer(params)
        }
        bytes.writeStaticString("}")
        return bytes
    }
}

extension UpstreamPeer {
    /// Asks a legacy client what its modern server needs to know; false when the response needs nothing. On the event loop.
    func askClient(_ response: Message, _ call: UpstreamPeerCore.Call) -> Bool {
        guard response.kind == .response, core.value.info?.era == .modern, let request = call.request, case .legacy = request.origin,
            let exchange = call.handler.exchange, EraBridge.resultType(of: response.result, in: response.json) == .inputRequired
        else { return false }
        exchange.rounds { InputRounds(exchange: exchange, peer: self, request: request, handler: call.handler) }?.required(by: response)
        return true
    }
}

extension Exchange {
    /// What is changed in a response for a legacy client.
    func legacySplices(_ response: Message) -> [Splice] {
        guard response.kind == .errorResponse, peer?.currentInfo()?.era == .modern else { return [] }
        let code = response.json.member("code", of: response.error)
        guard let number = response.json.integer(code), let legacy = EraBridge.errorCode(number, of: method, for: .legacy) else {
            return []
        }
        return [Splice(code, .bytes(ByteBuffer(string: "\(legacy)")))]
    }
}

extension Session {
    /// Whether the client declared a capability with that member.
    fileprivate func declares(_ capability: StaticString, _ member: StaticString) -> Bool {
        guard let json = try? JSONText(validating: initializeParams) else { return false }
        return json.member(member, of: json.member(capability, of: json.member("capabilities", of: json.root))).isPresent
    }
}
