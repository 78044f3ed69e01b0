import AsyncHTTPClient
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// Sending, and the life of the session. All on the event loop.
extension StreamableHTTPClient {
    /// How long the server may take to answer a DELETE.
    private static let terminationTimeout = TimeAmount.seconds(5)

    func sendOnLoop(_ bytes: ByteBuffer, token: UInt64?) {
        let message: Message
        do throws(MessageError) {
            message = try Message.parse(bytes)
        } catch {
            return refuse(token, .malformedMessage(reason: "\(error)"))
        }
        let isInitialize = token != nil && message.kind == .request && message.methodName == .initialize
        guard !state.value.isClosed else { return refuse(token, .closed) }
        guard endpoint != nil else { return refuse(token, .invalidURL) }
        let modern = token == nil ? nil : ModernHead(message, parameters: state.value.parameterHeaders)
        if state.value.isSessionEnded, !isInitialize, modern == nil { return refuse(token, .sessionEnded) }

        let purpose: HTTPExchange.Purpose
        if let token {
            guard let id = message.idBytes else { return refuse(token, .malformedMessage(reason: "a request must have an id")) }
            guard state.value.requestsInFlight < configuration.maxInFlight else {
                return refuse(token, .tooManyInFlight(limit: configuration.maxInFlight))
            }
            purpose = .request(token: token, id: id)
            state.value.requestsInFlight += 1
        } else {
            guard state.value.othersInFlight < configuration.maxInFlight else {
                return refuse(nil, .tooManyInFlight(limit: configuration.maxInFlight))
            }
            purpose = .oneWay
            state.value.othersInFlight += 1
        }
        if isInitialize { resetSessionOnLoop() }

        let kind: Outbox<ClientState.Outgoing>.Kind =
            message.kind != .notification ? .message : message.methodName == .initialized ? .initialized : .notification
        let outgoing = ClientState.Outgoing(
            message: bytes, trace: TraceContext(meta: message), modern: modern, purpose: purpose,
            sessionID: isInitialize || modern != nil ? nil : state.value.sessionID,
            isInitialize: isInitialize,
            isNotification: kind != .message)
        switch state.value.outbox.offer(outgoing, kind: kind) {
        case .send: start(outgoing)
        case .queued: break
        case .full:
            release(purpose)
            refuse(token, .tooManyInFlight(limit: configuration.maxInFlight))
        }
    }

    /// Reports a message that was not sent; later, so that the caller of `send` is not called back inside it.
    private func refuse(_ token: UInt64?, _ error: StreamableHTTPError) {
        guard let token else {
            logger.warning("a notification or response was not sent", metadata: ["error": "\(error)"])
            return
        }
        eventLoop.execute {
            self.state.value.delegate?.client(self, requestFailed: token, error)
        }
    }

    func start(_ outgoing: ClientState.Outgoing) {
        let exchange = HTTPExchange(
            purpose: outgoing.purpose, isInitialize: outgoing.isInitialize, isModern: outgoing.modern != nil,
            sessionID: outgoing.sessionID, limits: exchangeLimits)
        let key = state.value.nextKey()
        state.value.running[key] = ClientState.Running(
            exchange: exchange, message: outgoing.message, trace: outgoing.trace, modern: outgoing.modern,
            isNotification: outgoing.isNotification)
        execute(key)
    }

    /// Takes a request back by closing its stream; its delegate does not hear of it again.
    func cancelOnLoop(token: UInt64) {
        let key = state.value.running.first { entry in
            if case .request(token, _) = entry.value.exchange.purpose { true } else { false }
        }?.key
        guard let key else { return }
        // First it is forgotten: cancelling reports a failure of its own.
        let task = state.value.running[key]?.task
        finish(key)
        task?.cancel()
    }

    func initializedOnLoop(revision: String, openListeningStream: Bool) {
        guard !state.value.isClosed else { return }
        state.value.revision = revision
        guard openListeningStream, state.value.listening == nil, endpoint != nil else { return }
        let key = state.value.nextKey()
        state.value.listening = key
        state.value.running[key] = ClientState.Running(
            exchange: HTTPExchange(purpose: .listening, sessionID: state.value.sessionID, limits: exchangeLimits))
        execute(key)
    }

    func resetSessionOnLoop() {
        state.value.sessionID = nil
        state.value.isSessionEnded = false
        state.value.revision = nil
        guard let key = state.value.listening else { return }
        state.value.listening = nil
        abandon(key, .closed)
    }

    func closeOnLoop(terminateSession: Bool, promise: EventLoopPromise<Void>) {
        guard !state.value.isClosed else { return promise.succeed() }
        state.value.isClosed = true
        let session = state.value.isSessionEnded ? nil : state.value.sessionID
        let headers = commonHeaders(session: session)
        resetSessionOnLoop()
        for outgoing in state.value.outbox.removeAll() {
            release(outgoing.purpose)
            if case .request(let token, _) = outgoing.purpose { refuse(token, .closed) }
        }
        for key in state.value.running.keys.sorted() { abandon(key, .closed) }
        resumeReading()
        guard terminateSession, session != nil, let endpoint,
            let request = try? HTTPClient.Request(url: endpoint.url, method: .DELETE, headers: headers)
        else { return promise.succeed() }
        httpClient.execute(request: request, eventLoop: .delegateAndChannel(on: eventLoop), deadline: .now() + Self.terminationTimeout)
            .whenComplete { result in
                switch result {
                case .success(let response):
                    self.logger.debug("session terminated", metadata: ["status": "\(response.status.code)"])
                case .failure(let error):
                    self.logger.debug("the session could not be terminated", metadata: ["error": "\(error)"])
                }
                promise.succeed()
            }
    }

    private func abandon(_ key: UInt64, _ error: StreamableHTTPError) {
        guard let actions = state.value.running[key]?.exchange.abandon(error) else { return }
        perform(actions, for: key)
    }

    func release(_ purpose: HTTPExchange.Purpose) {
        switch purpose {
        case .request: state.value.requestsInFlight -= 1
        case .oneWay: state.value.othersInFlight -= 1
        case .listening: break
        }
    }

    /// Tells the delegate, once, that the session with this id is gone.
    func sessionEnded(_ id: String?) {
        guard let id, id == state.value.sessionID, !state.value.isSessionEnded else { return }
        state.value.isSessionEnded = true
        state.value.delegate?.clientSessionEnded(self)
    }

    func commonHeaders(session: String?) -> HTTPHeaders {
        var headers = HTTPHeaders()
        if let authorization = endpoint?.authorization { headers.add(name: "Authorization", value: authorization) }
        for (name, value) in configuration.headers {
            switch name.lowercased() {
            case "authorization": headers.replaceOrAdd(name: name, value: value)
            case "accept", "content-type", "content-length", "transfer-encoding", "mcp-session-id", "last-event-id": break
            default: headers.add(name: name, value: value)
            }
        }
        if !headers.contains(name: "User-Agent") { headers.add(name: "User-Agent", value: configuration.userAgent) }
        if let session { headers.add(name: "Mcp-Session-Id", value: session) }
        if let revision = state.value.revision { headers.replaceOrAdd(name: "MCP-Protocol-Version", value: revision) }
        return headers
    }

    private var exchangeLimits: HTTPExchange.Limits {
        HTTPExchange.Limits(maxMessageBytes: configuration.maxMessageBytes, maxReconnectAttempts: configuration.maxReconnectAttempts)
    }
}
