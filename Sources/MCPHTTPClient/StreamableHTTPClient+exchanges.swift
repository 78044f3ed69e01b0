import AsyncHTTPClient
import Foundation
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1
import NIOPosix

/// Runs exchanges over AsyncHTTPClient. All on the event loop.
extension StreamableHTTPClient {
    /// Sends the HTTP request that the exchange needs now.
    func execute(_ key: UInt64) {
        guard var running = state.value.running[key], let endpoint else { return }
        running.attempt = state.value.nextKey()
        let isGET = running.exchange.isGET
        var headers = commonHeaders(session: running.exchange.sessionID)
        headers.add(name: "Accept", value: isGET ? "text/event-stream" : "application/json, text/event-stream")
        if isGET, let id = running.exchange.lastEventID { headers.add(name: "Last-Event-ID", value: id) }
        if !isGET { headers.add(name: "Content-Type", value: "application/json") }
        if let trace = running.trace, !isGET {
            headers.replaceOrAdd(name: "traceparent", value: trace.traceparent)
            if let state = trace.tracestate { headers.replaceOrAdd(name: "tracestate", value: state) }
        }
        running.modern?.write(to: &headers)
        let body = running.message.map { HTTPClient.Body.byteBuffer($0) }
        running.message = nil
        let attempt = running.attempt
        let timeout: TimeAmount? =
            switch running.exchange.purpose {
            case .request: configuration.responseTimeout
            case .oneWay: configuration.acceptTimeout
            // A server may hold back the head until the first event.
            case .listening: nil
            }
        if let timeout {
            running.timer = eventLoop.scheduleTask(in: timeout) { self.responseTimedOut(exchange: key, attempt: attempt, timeout) }
        }
        state.value.running[key] = running
        do {
            let request = try HTTPClient.Request(
                url: endpoint.url, method: isGET ? .GET : .POST, headers: headers, body: isGET ? nil : body)
            let handler = ResponseHandler(client: self, exchange: key, attempt: attempt)
            let task = httpClient.execute(request: request, delegate: handler, eventLoop: .delegateAndChannel(on: eventLoop))
            if state.value.running[key]?.attempt == attempt {
                state.value.running[key]?.task = task
            } else {
                task.cancel()
            }
            // A client that is shut down fails the task without a call of the delegate.
            task.futureResult.whenFailure { self.requestFailed($0, exchange: key, attempt: attempt) }
        } catch {
            eventLoop.execute { self.requestFailed(error, exchange: key, attempt: attempt) }
        }
    }

    /// Completed unless reading is paused.
    func readPermission() -> EventLoopFuture<Void> {
        state.value.readPermission?.futureResult ?? eventLoop.makeSucceededVoidFuture()
    }

    func receivedHead(_ head: HTTPResponseHead, exchange key: UInt64, attempt: UInt64) {
        guard var running = state.value.running[key], running.attempt == attempt else { return }
        running.timer?.cancel()
        running.timer = nil
        let actions: [ExchangeAction]
        if running.exchange.isInitialize, head.status == .ok, let id = head.headers.first(name: "Mcp-Session-Id") {
            if !id.isEmpty, id.utf8.count <= 1024, id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
                state.value.sessionID = id
                actions = running.exchange.head(status: 200, contentType: head.headers.first(name: "Content-Type"))
            } else {
                actions = running.exchange.abandon(.invalidSessionID)
            }
        } else {
            actions = running.exchange.head(status: Int(head.status.code), contentType: head.headers.first(name: "Content-Type"))
        }
        state.value.running[key] = running
        perform(actions, for: key)
    }

    func receivedBody(_ bytes: ByteBuffer, exchange key: UInt64, attempt: UInt64) {
        step(key, attempt) { $0.body(bytes) }
    }

    func responseEnded(exchange key: UInt64, attempt: UInt64) {
        step(key, attempt) { $0.ended() }
    }

    func requestFailed(_ error: any Error, exchange key: UInt64, attempt: UInt64) {
        step(key, attempt) { $0.failed(StreamableHTTPError(requestError: error)) }
    }

    private func responseTimedOut(exchange key: UInt64, attempt: UInt64, _ timeout: TimeAmount) {
        guard let running = state.value.running[key], running.attempt == attempt else { return }
        // First the reason: cancelling reports a failure of its own.
        step(key, attempt) { $0.failed(.timedOut(seconds: Double(timeout.nanoseconds) / 1e9)) }
        running.task?.cancel()
    }

    private func step(_ key: UInt64, _ attempt: UInt64, _ body: (inout HTTPExchange) -> [ExchangeAction]) {
        guard state.value.running[key]?.attempt == attempt else { return }
        // Taken out while it changes, so that its buffers are not shared and copied.
        guard var running = state.value.running.removeValue(forKey: key) else { return }
        let actions = body(&running.exchange)
        state.value.running[key] = running
        perform(actions, for: key)
    }

    func perform(_ actions: [ExchangeAction], for key: UInt64) {
        for action in actions {
            switch action {
            case .deliver(let message):
                var token: UInt64?
                if case .request(let own, _)? = state.value.running[key]?.exchange.purpose { token = own }
                state.value.delegate?.client(self, received: message, on: token)
            case .fail(let token, let error): state.value.delegate?.client(self, requestFailed: token, error)
            case .sessionEnded: sessionEnded(state.value.running[key]?.exchange.sessionID)
            case .accepted: accepted(key)
            case .reconnect(let id, let attempt, let retry): scheduleReconnect(key, id, attempt, retry)
            case .linger: scheduleLinger(key)
            case .cancelHTTP: cancelHTTP(key)
            case .finished: finish(key)
            case .note(let text): logger.info("\(text)")
            }
        }
    }

    /// A notification was taken or refused: the next may go.
    private func accepted(_ key: UInt64) {
        guard state.value.running[key]?.isNotification == true else { return }
        state.value.running[key]?.isNotification = false
        for outgoing in state.value.outbox.notificationAccepted() { start(outgoing) }
    }

    private func scheduleReconnect(_ key: UInt64, _ lastEventID: String?, _ attempt: Int, _ retry: Int64?) {
        let delay = backoff.delay(attempt: attempt, retryMilliseconds: retry, jitter: Double.random(in: 0..<1))
        logger.debug(
            "a stream was cut and is opened again",
            metadata: ["after_ms": "\(delay.nanoseconds / 1_000_000)", "attempt": "\(attempt)", "resumed": "\(lastEventID != nil)"])
        guard state.value.running[key] != nil else { return }
        state.value.running[key]?.timer?.cancel()
        // From now on nothing of the HTTP request before counts.
        let attempt = state.value.nextKey()
        state.value.running[key]?.attempt = attempt
        state.value.running[key]?.task = nil
        state.value.running[key]?.timer = eventLoop.scheduleTask(in: delay) {
            guard self.state.value.running[key]?.attempt == attempt else { return }
            self.state.value.running[key]?.exchange.reconnecting()
            self.execute(key)
        }
    }

    /// Closes the connection of an exchange that is done when the server does not end it soon.
    private func scheduleLinger(_ key: UInt64) {
        guard let running = state.value.running[key] else { return }
        if case .request = running.exchange.purpose, !running.hasReleased {
            state.value.running[key]?.hasReleased = true
            release(running.exchange.purpose)
        }
        let attempt = running.attempt
        state.value.running[key]?.timer?.cancel()
        state.value.running[key]?.timer = eventLoop.scheduleTask(in: configuration.lingerAfterResponse) {
            guard self.state.value.running[key]?.attempt == attempt else { return }
            self.cancelHTTP(key)
            self.finish(key)
        }
    }

    private func cancelHTTP(_ key: UInt64) {
        let task = state.value.running[key]?.task
        state.value.running[key]?.task = nil
        task?.cancel()
    }

    func finish(_ key: UInt64) {
        guard let running = state.value.running.removeValue(forKey: key) else { return }
        running.timer?.cancel()
        if !running.hasReleased { release(running.exchange.purpose) }
        if state.value.listening == key { state.value.listening = nil }
        if running.isNotification {
            for outgoing in state.value.outbox.notificationAccepted() { start(outgoing) }
        }
    }
}

extension StreamableHTTPError {
    /// What AsyncHTTPClient reports, without anything that could hold the URL.
    init(requestError error: any Error) {
        if let error = error as? NIOConnectionError {
            self = .connectFailed(reason: error.connectionErrors.first.map { Self.reason($0.error) } ?? "unknown host \(error.host)")
            return
        }
        if case .connectTimeout? = error as? ChannelError {
            self = .connectFailed(reason: "it did not accept the connection in time")
            return
        }
        // Connecting to a numeric address or a socket path fails with the bare error of the system call.
        if let error = error as? IOError,
            [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, ENOENT, EACCES].contains(error.errnoCode)
        {
            self = .connectFailed(reason: Self.reason(error))
            return
        }
        switch error as? HTTPClientError {
        case .connectTimeout?, .getConnectionFromPoolTimeout?, .tlsHandshakeTimeout?:
            self = .connectFailed(reason: "it did not accept the connection in time")
        case .remoteConnectionClosed?: self = .connectionLost(reason: "the server closed the connection")
        case .alreadyShutdown?, .cancelled?: self = .closed
        case let error?: self = .connectionLost(reason: error.shortDescription)
        case nil: self = .connectionLost(reason: Self.reason(error))
        }
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        return String(describing: type(of: error))
    }
}
