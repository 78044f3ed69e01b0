import DequeModule
import Logging
import MCPProtocol
public import NIOCore

/// What comes from the server: responses, notifications, requests, and what is none of them. Runs on the event loop.
extension UpstreamPeer {
    public func link(_ link: any UpstreamLink, received bytes: ByteBuffer) {
        let core = core.value
        guard core.link === link else { return }
        do throws(MessageError) {
            receive(try Message.parse(bytes), core: core)
        } catch {
            receiveBroken(bytes, error, core: core)
        }
    }

    public func link(_ link: any UpstreamLink, received bytes: ByteBuffer, on call: UInt64?) {
        let core = core.value
        guard let call, core.info?.era == .modern, core.link === link, let message = try? Message.parse(bytes),
            message.methodName == .loggingMessage, let exchange = core.calls[call]?.handler.exchange
        else { return self.link(link, received: bytes) }
        // It is known whose it is.
        defer { passedOn(messages: 1, bytes: bytes.readableBytes) }
        if exchange.session.wants(message) { _ = exchange.emit(.notification(bytes)) }
    }

    public func link(_ link: any UpstreamLink, failed call: UInt64, with error: LinkCallFailure) {
        let core = core.value
        guard core.link === link else { return }
        if core.handshake?.owns(call) == true { return handshakeFailed(call, error, core: core) }
        if core.listening?.owns(call) == true { return listenEnded(call, reason: error.text, isRefusal: false, core: core) }
        guard var entry = core.calls[call] else { return }
        if case .sessionEnded = error, !entry.wasResent, entry.request != nil {
            entry.wasResent = true
            core.calls[call] = entry
            core.waiting.append(call)
            return
        }
        take(call, core)?.handler.upstreamFailed(
            ExchangeFailure(error.cause, "upstream \"\(name)\" did not answer: \(error.text)"))
    }

    private func handshakeFailed(_ call: UInt64, _ error: LinkCallFailure, core: UpstreamPeerCore) {
        let reason = "the handshake failed: \(error.text)"
        step(core) { handshake in
            // What cannot be reached has not said what it is.
            if error.cause == .upstreamUnavailable { return .failed(reason) }
            return handshake.failed(call, reason: reason)
        }
    }

    private func receive(_ message: Message, core: UpstreamPeerCore) {
        switch message.kind {
        case .response, .errorResponse: receiveResponse(message, core: core)
        case .notification: receiveNotification(message, core: core)
        case .request: receiveRequest(message, core: core)
        }
    }

    // MARK: Responses

    private func receiveResponse(_ message: Message, core: UpstreamPeerCore) {
        guard let call = message.json.callNumber(message.id) else {
            if message.kind == .errorResponse, message.json.equals(message.id, "null") { receiveErrorWithoutID(message, core: core) }
            return
        }
        if core.handshake?.owns(call) == true { return step(core) { $0.answered(call, by: message) } }
        if core.listening?.owns(call) == true { return listenAnswered(call, by: message, core: core) }
        if message.kind == .errorResponse, asksForNewHeaders(message, call: call, core: core) { return }
        guard core.calls[call]?.sentAt != nil, let entry = take(call, core) else {
            // After a cancellation or a timeout, a second time, or to nothing that was asked (yet).
            logger.debug("upstream answered what nobody waits for", metadata: ["upstream": "\(name)", "call": "\(call)"])
            return
        }
        let now = eventLoop.now
        wasUsed(at: now)
        if let sentAt = entry.sentAt { metrics.responded(afterNanoseconds: (now - sentAt).nanoseconds) }
        guard message.kind == .errorResponse || message.json.isObject(message.result) else {
            entry.handler.upstreamFailed(
                ExchangeFailure(.upstreamBroken, "upstream \"\(name)\" answered with a result that is no object"))
            return
        }
        if askClient(message, entry) || asksForTask(message, entry) { return }
        if let exchange = entry.handler as? Exchange, exchange.mayBecomeTask { rememberTask(exchange, call: call, core: core) }
        entry.handler.upstreamResponded(message)
    }

    /// JSON-RPC 2.0, section 5: a server that could not read the id of a request answers with null. If it has only one request to answer, it
    /// must be that one.
    private func receiveErrorWithoutID(_ message: Message, core: UpstreamPeerCore) {
        let json = message.json
        let text = json.string(json.member("message", of: message.error)) ?? "no reason given"
        logUnusual("upstream reported an error without saying which request it is about", text, core: core)
        if core.handshake != nil { return step(core) { $0.failedWithoutID(reason: "it refused \($0.name): \(text)") } }
        let sent = core.calls.filter { $0.value.sentAt != nil }
        guard sent.count == 1, let call = sent.first?.key else { return }
        let code = json.integer(json.member("code", of: message.error)) ?? RPCError.Code.internalError.rawValue
        take(call, core)?.handler.upstreamFailed(ExchangeFailure(.answered(code: code), "upstream \"\(name)\": \(text)"))
    }

    /// Tasks whose progress can still be told, at most; the oldest are forgotten first.
    private static let maximumTasks = 1000

    private func rememberTask(_ exchange: Exchange, call: UInt64, core: UpstreamPeerCore) {
        core.tasks[call] = exchange
        core.taskOrder.append(call)
        if core.taskOrder.count > Self.maximumTasks, let oldest = core.taskOrder.popFirst() { core.tasks.removeValue(forKey: oldest) }
    }

    // MARK: Notifications and requests

    private func receiveNotification(_ message: Message, core: UpstreamPeerCore) {
        defer { passedOn(messages: 1, bytes: message.bytes.readableBytes) }
        if message.methodName == .progress, let call = message.json.callNumber(message.param("progressToken")) {
            guard var entry = core.calls[call] else {
                core.tasks[call]?.taskProgressed(message)
                return
            }
            entry.deadline = eventLoop.now + entry.timeout
            core.calls[call] = entry
            entry.handler.upstreamProgressed(message)
            return
        }
        if message.methodName == .cancelled, let id = message.json.slice(message.routing.requestID) { core.openInputs.remove(id) }
        guard core.listening == nil else { return receiveListened(message, core: core) }
        core.owner?.peer(self, receivedNotification: message)
    }

    private func receiveRequest(_ message: Message, core: UpstreamPeerCore) {
        if message.methodName == .ping, let id = message.idBytes {
            core.link?.send(MessageWriter.response(id: id, result: ByteBuffer(string: "{}")), call: nil)
            return
        }
        guard core.info?.era == .legacy else {
            return logUnusual("upstream sent a request, which its revision does not allow", message.methodName.name, core: core)
        }
        // The server waits for its client: what was asked of it is not silent meanwhile.
        if let id = message.idBytes { core.openInputs.insert(id) }
        core.lastInput = eventLoop.now
        core.owner?.peer(self, receivedRequest: message)
    }

    // MARK: Backpressure

    /// Notifications were passed on, to one client or to many. When too many of them are on their way the server is not read until they have
    /// arrived: one that floods fills its own pipe, not the gateway's memory.
    func passedOn(messages: Int, bytes: Int) {
        perform(core.value.window.received(messages: messages, bytes: bytes), core: core.value)
    }

    private func perform(_ action: NotificationWindow.Action, core: UpstreamPeerCore) {
        if let isReading = action.reading {
            core.link?.setReading(isReading)
            if !isReading { logUnusual("upstream sends notifications faster than they can be passed on; it has to wait", nil, core: core) }
        }
        guard action.startsFence, let owner = core.owner else { return }
        owner.peer(self, whenPassedOn: { self.onLoop { core in self.perform(core.window.fencePassed(), core: core) } })
    }

    // MARK: What is no message

    private func receiveBroken(_ bytes: ByteBuffer, _ error: MessageError, core: UpstreamPeerCore) {
        // Servers of 2025-03-26 may answer in batches; anything else on stdout is a print statement that went astray.
        if let json = try? JSONText(validating: bytes), json.firstByte(json.root) == UInt8(ascii: "[") {
            for element in json.elements(of: json.root).compactMap({ json.slice($0) }) {
                do throws(MessageError) {
                    receive(try Message.parse(element), core: core)
                } catch {
                    failBrokenAnswers(element, error, core: core)
                }
            }
            return
        }
        failBrokenAnswers(bytes, error, core: core)
        logUnusual("upstream sent something that is no MCP message", "\(error)", core: core)
    }

    /// Nobody has to wait for an answer that has come but cannot be read.
    private func failBrokenAnswers(_ bytes: ByteBuffer, _ error: MessageError, core: UpstreamPeerCore) {
        for call in BrokenAnswer.calls(of: error, in: bytes) {
            if core.handshake?.owns(call) == true {
                return step(core) { $0.failed(call, reason: "it answered \($0.name) with a broken message: \(error)") }
            }
            guard core.calls[call]?.sentAt != nil else { continue }
            take(call, core)?.handler.upstreamFailed(
                ExchangeFailure(.upstreamBroken, "upstream \"\(name)\" answered with a broken message: \(error)"))
        }
    }

    /// A warning that a server can cause as often as it likes: only some of them are written.
    private func logUnusual(_ text: Logger.Message, _ detail: String?, core: UpstreamPeerCore) {
        guard let suppressed = core.unusual.pass(at: eventLoop.now) else { return }
        var metadata: Logger.Metadata = ["upstream": "\(name)"]
        if let detail { metadata["error"] = "\(detail)" }
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.warning(text, metadata: metadata)
    }
}

extension LinkCallFailure {
    fileprivate var text: String {
        switch self {
        case .sessionEnded: "its session ended"
        case .failed(_, let reason): reason
        }
    }

    fileprivate var cause: ExchangeFailure.Cause {
        switch self {
        case .sessionEnded: .upstreamFailed
        case .failed(let cause, _): cause
        }
    }
}
