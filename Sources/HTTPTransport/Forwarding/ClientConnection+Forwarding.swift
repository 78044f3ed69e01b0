import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// Requests that another instance serves, and requests that another instance has passed on.
extension ClientConnection {
    // MARK: From another instance

    /// Takes a request for one that another instance has passed on, if one has.
    ///
    /// - Throws: what is to be answered when none has.
    func admitForward(_ field: String, _ head: HTTPRequestHead) throws(Refusal) {
        let claims = server.gateway.forwarding?.verify(
            field, method: head.method.rawValue, target: ForwardedHead.signed(head), now: server.gateway.clock.now())
        guard let claims else { throw .unsigned }
        request.source = .instance(claims.reason)
        request.rare { $0.claims = claims }
    }

    /// Whether the body, which is complete, is what the instance has signed that passed the request on; answers itself when not.
    func checkForwardedBody() -> Bool {
        guard let claims = request.claims, !claims.cover(body) else { return true }
        refuse(.unsigned, closing: false)
        return false
    }

    /// Tells the instance that has passed the request on that it is not for this one.
    ///
    /// - Parameters:
    ///   - home: which one has the session, if that is known.
    ///   - isWithout: the session is not here, and the store cannot be asked for it.
    func misdirect(home: String? = nil, isWithout: Bool = false) {
        var headers = home.map { [(ForwardedHead.homeField, $0)] } ?? []
        if isWithout { headers.append((ForwardedHead.withoutField, "store")) }
        let error = RPCError(code: .internalError, message: "the session is not at home at this instance")
        respond(.misdirectedRequest, body: error.response(id: nil), headers: headers)
    }

    // MARK: While this instance is on its way out

    /// Whether it gives its sessions to others.
    var isLeaving: Bool { server.gateway.isLeaving }

    /// Whether a client may listen through this instance; answers itself when not. A stream that only listens would be cut soon.
    var mayListen: Bool {
        guard server.gateway.isDraining, request.source.isClient else { return true }
        refuse(isLeaving && forwardable != nil ? .leaving : .stopping, closing: false)
        return false
    }

    // MARK: To another instance

    /// Finds the session that the request is of; `body` runs on the loop when the request is to be served here, or its session not to be
    /// found. Otherwise another instance serves it.
    ///
    /// - Parameters:
    ///   - revision: what the request names.
    ///   - keepsRequest: the request as it came is still needed when it is served here.
    func find(
        _ id: SessionID, revision: Revision? = nil, keepsRequest: Bool = false,
        _ body: @escaping @Sendable (ClientConnection, Result<Session?, StoreError>) -> Void
    ) {
        let number = requestNumber
        let handle = handle
        let traits = SessionTraits(server: endpointServer, revision: revision)
        server.gateway.locate(id, from: request.source, tried: forwardable?.tried ?? TriedInstances(), traits: traits) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                switch result {
                case .success(.here(let session)):
                    if !keepsRequest { connection.forwardable = nil }
                    body(connection, .success(session))
                case .success(.unknown): body(connection, .success(nil))
                case .failure(let error): body(connection, .failure(error))
                case .success(let place):
                    connection.forwardable?.retry = { $0.find(id, revision: revision, keepsRequest: keepsRequest, body) }
                    connection.seek(id, at: place)
                }
            }
        }
    }

    private func seek(_ id: SessionID, at place: SessionPlace) {
        switch place {
        case .elsewhere(let home):
            if request.source.isClient { forward(to: home, session: id) } else { misdirect(home: home.identity.name) }
        case .standIn(let instance): forward(to: instance, session: id, reason: .nobodyHasIt)
        case .notHere: misdirect(isWithout: true)
        case .moving: if request.source.isClient { tryAgainSoon() } else { misdirect() }
        case .here, .unknown: break
        }
    }

    /// Has another instance serve the request. What it says goes to the client as it is.
    ///
    /// - Parameter reason: nil for what this instance knows anyway.
    func forward(to target: InstanceRecord, session: SessionID?, reason: ForwardReason? = nil) {
        guard let context, let forwardable, let forwarding = server.gateway.forwarding else {
            return refuse(.unreachable, closing: false)
        }
        let gateway = server.gateway
        let head = forwardable.head
        let reason = reason ?? gateway.forwardReason
        let forward = Forward(target: target, session: session, reason: reason, connection: self)
        state = .forwarding(forward)
        let signature = forwarding.sign(
            reason, for: target.identity, method: head.method.rawValue, target: ForwardedHead.signed(head),
            body: forwardable.body, now: gateway.clock.now())
        let passed = ForwardedHead.request(
            head, host: target.address.authority, bodyBytes: forwardable.body.readableBytes, requestID: request.id.description,
            signature: signature)
        forward.start(passed, body: forwardable.body, pool: server.loopContext(for: context.eventLoop).peers)
    }

    /// Looks again in a moment for who serves the request, as long as there is time.
    func tryAgainSoon() {
        guard let forwardable, NIODeadline.now() - request.startedAt < server.settings.forwardTimeout else {
            return refuse(.unreachable, closing: false)
        }
        forwardable.tried.forget()
        tryAgain(in: forwardable.nextPause())
    }

    func tryAgain(in pause: TimeAmount) {
        guard let context, let forwardable, let retry = forwardable.retry else { return refuse(.unreachable, closing: false) }
        state = .answering
        let number = requestNumber
        let again = NIOLoopBound(retry, eventLoop: context.eventLoop)
        let handle = handle
        context.eventLoop.scheduleTask(in: pause) {
            handle.onLoop { connection in
                if connection.requestNumber == number { again.value(connection) }
            }
        }
    }

    // MARK: What came of it

    func forwardResponded(_ head: HTTPResponseHead, of forward: Forward) {
        guard let context, case .forwarding(let current) = state, current === forward else { return }
        // One that only stands in is no home.
        if let session = forward.session, forward.reason != .nobodyHasIt {
            server.gateway.servedElsewhere(session, by: forward.target.identity)
        }
        var headers = ForwardedHead.responseFields(head)
        let isStream = headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true
        if isStream, request.method == .POST, request.route.isMCP, let forwardable {
            forward.unresumable = UnresumableAnswer(request: forwardable.body)
        }
        forwardable = nil
        // Without chunks the end of the connection is the end of the answer.
        if version.minor == 0, headers.first(name: "content-length") == nil { isKeepAlive = false }
        if !isKeepAlive { headers.add(name: "connection", value: "close") }
        waitingBytes = 0
        answerBegins(head.status, headers: &headers, isStream: isStream)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: version, status: head.status, headers: headers))), promise: nil)
    }

    func forwardSent(_ bytes: ByteBuffer, of forward: Forward) {
        guard let context, case .forwarding(let current) = state, current === forward else { return }
        guard request.method != .HEAD else { return }
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        if !context.channel.isWritable { forward.clientIsWritable(false) }
    }

    /// What has come so far goes out in one write.
    func forwardPaused(_ forward: Forward) {
        guard let context, case .forwarding(let current) = state, current === forward else { return }
        context.flush()
    }

    func forwardEnded(_ forward: Forward) {
        guard let context, case .forwarding(let current) = state, current === forward else { return }
        state = .idle
        finishResponse(context)
    }

    /// The instance does not have the session.
    func forwardRefused(_ forward: Forward) {
        guard case .forwarding(let current) = state, current === forward else { return }
        forwardable?.tried.add(forward.target.identity, isWithout: forward.refuserIsWithout)
        tryElsewhere(after: forward)
    }

    func forwardFailed(_ forward: Forward, wasSent: Bool, reason: String) {
        guard case .forwarding(let current) = state, current === forward else { return }
        server.gateway.lines.notServed.write(
            ["instance": "\(forward.target.identity.name)", "reason": "\(reason)", "request": "\(request.id)"])
        guard !forward.hasBegun else { return breakOff(forward) }
        guard !wasSent || isRepeatable && mayRepeat() else { return loseAnswer() }
        forwardable?.tried.addUnreachable(forward.target.identity)
        tryElsewhere(after: forward)
    }

    private func tryElsewhere(after forward: Forward) {
        state = .answering
        if let session = forward.session { server.gateway.homeWasWrong(of: session, now: forward.refusedHome) }
        guard let retry = forwardable?.retry else { return refuse(.unreachable, closing: false) }
        retry(self)
    }

    /// A request that waits at an instance which is not alive any more would wait for ever.
    func checkForwardTarget() {
        guard case .forwarding(let forward) = state else { return }
        if forward.isOverdue(server.settings) {
            server.gateway.fellSilent(forward.target.identity)
            return forward.targetDied()
        }
        guard !server.gateway.isAlive(forward.target.identity), !forward.mayStillAnswer(server.settings) else { return }
        forward.targetDied()
    }

    /// The gateway drains: who listens at another instance through this one comes back through another.
    func endForwardedListening() {
        guard let context, case .forwarding(let forward) = state, request.method == .GET else { return }
        // Anything else has an end of its own.
        if case .api = request.route { return }
        forward.cancel()
        guard forward.hasBegun else {
            state = .answering
            return refuse(server.gateway.hasSuccessor ? .leaving : .stopping, closing: false)
        }
        state = .idle
        finishResponse(context)
    }

    /// Whether the request may be sent again though it may have been worked on.
    private var isRepeatable: Bool {
        guard let forwardable else { return false }
        if request.route == .api(.call) || request.route == .api(.createSession) { return false }
        guard request.method == .POST, request.route.isMCP else { return true }
        guard case .single(let message)? = try? Message.parsePayload(forwardable.body, maxDepth: server.settings.maxNestingDepth) else {
            return false
        }
        return server.gateway.isRepeatable(message, server: endpointServer)
    }

    /// Counts a repetition of what may have been worked on; false after `streams.maxRepetitions`, for it may be what ends the instances. To listen
    /// is no work.
    private func mayRepeat() -> Bool {
        guard request.method == .POST, let forwardable else { return true }
        forwardable.repetitions += 1
        guard forwardable.repetitions > server.gateway.settings.maxRepetitions else { return true }
        LimitHits.count(.maxRepetitions)
        return false
    }

    /// What came of the request went down with the instance that worked on it.
    private func loseAnswer() {
        // The answer to a message of HTTP+SSE would have come on its stream, and nobody reads this one.
        if case .messages = request.route { return refuse(.lost, closing: false) }
        let payload = forwardable.flatMap { try? Message.parsePayload($0.body, maxDepth: server.settings.maxNestingDepth) }
        guard request.route.isMCP, case .single(let message)? = payload, message.kind == .request else {
            return refuse(.lost, closing: false)
        }
        // An answer to the request, as a client of a stream would get it: for HTTP nothing went wrong.
        respond(.ok, body: Gateway.lostError.response(id: message.idBytes))
    }
}

extension Refusal {
    /// Not 403: to the instance that has sent it, it says that nothing was done, and that another may be asked.
    static let unsigned = Refusal(
        status: .misdirectedRequest, code: "forbidden",
        error: RPCError(
            code: .invalidRequest,
            message:
                "this request claims to come from another instance for this one and was not signed so (has each its own cluster.address?), or long ago (check the instances' clocks), or was here before"
        ))

    /// The instance that has the session cannot be reached. Another may reach it.
    static let unreachable = Refusal(
        status: .misdirectedRequest, code: "unavailable",
        error: RPCError(
            code: .internalError, message: "the instance that has this session cannot be reached at the moment; send the request again"),
        headers: [("retry-after", "1")])

    /// What would last is not begun any more. Another instance is to be asked.
    static let leaving = Refusal(
        status: .misdirectedRequest, code: "unavailable",
        error: RPCError(code: .internalError, message: "this instance is shutting down; connect again"), headers: [("retry-after", "1")])

    static let displaced = Refusal(
        status: .misdirectedRequest, code: "unavailable",
        error: RPCError(code: .internalError, message: "another process runs as this instance (gateway.instanceID); connect again"),
        headers: [("retry-after", "1")])

    static let lost = Refusal(
        status: .badGateway, code: "outcome_unknown", error: Gateway.lostError)
}
