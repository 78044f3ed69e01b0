import DequeModule
import Logging
import MCPProtocol
public import NIOCore

/// Requests out, responses and notifications in. Runs on the event loop.
extension UpstreamPeer {
    func enqueue(_ request: UpstreamRequest, handler: any UpstreamCallHandler, core: UpstreamPeerCore) {
        let now = eventLoop.now
        if let refusal = refusal(core, now: now) {
            callEnded()
            handler.upstreamFailed(refusal)
            return
        }
        let call = core.nextCall
        core.nextCall &+= 1
        wasUsed(at: now)
        core.calls[call] = .init(handler: handler, request: request, deadline: now + request.timeout, timeout: request.timeout)
        handler.upstreamAccepted(call: call, by: self)
        watchDeadlines(core)
        if case .ready = core.phase {
            transmit(request, call: call, at: now, core: core)
        } else {
            core.waiting.append(call)
            core.wantsToRun = true
            connectIfNeeded(core)
        }
    }

    /// Why no request is taken now; nil when one is.
    private func refusal(_ core: UpstreamPeerCore, now: NIODeadline) -> RPCError? {
        guard core.calls.count < settings.maxInFlight else {
            LimitHits.count(.maxInFlightPerUpstream)
            return RPCError(
                code: .internalError,
                message: "upstream \"\(name)\" has \(settings.maxInFlight) requests in flight (limits.maxInFlightPerUpstream); try again")
        }
        switch core.phase {
        case .stopping, .stopped: return stoppedError
        case .givenUp(let until, let reason) where now < until: return givenUpError(reason: reason)
        default: return nil
        }
    }

    /// Writes the request with the peer's own id and progress token in place of the client's.
    func transmit(_ request: UpstreamRequest, call: UInt64, at now: NIODeadline, core: UpstreamPeerCore) {
        guard let link = core.link else { return }
        core.calls[call]?.sentAt = now
        let message = request.message
        var splices = request.splices
        splices.append(Splice(message.id, .integer(call)))
        if request.progressToken.isPresent { splices.append(Splice(request.progressToken, .integer(call))) }
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: splices)
        if message.hasLineBreaks { bytes.replaceLineBreaks() }
        if logger.logLevel <= .debug {
            logger.debug("request sent", metadata: ["upstream": "\(name)", "call": "\(call)", "method": "\(message.methodName.name)"])
        }
        switch link.send(bytes, call: call) {
        case .sent: break
        case .queueFull:
            take(call, core)?.handler.upstreamFailed(
                RPCError(
                    code: .internalError,
                    message: "upstream \"\(name)\" does not read its input: no more may wait (limits.maxQueuedInputBytes); try again"))
        case .closed:
            take(call, core)?.handler.upstreamFailed(
                RPCError(code: .connectionClosed, message: "upstream \"\(name)\" is stopping and takes no more requests; try again"))
        }
    }

    /// The call, which is over with this.
    private func take(_ call: UInt64, _ core: UpstreamPeerCore) -> UpstreamPeerCore.Call? {
        let entry = core.calls.removeValue(forKey: call)
        if entry != nil { callEnded() }
        return entry
    }

    func cancel(call: UInt64, reason: ByteBuffer?, core: UpstreamPeerCore) {
        guard take(call, core) != nil else { return }
        if let index = core.waiting.firstIndex(of: call) {
            core.waiting.remove(at: index)
            return
        }
        sendCancelled(call: call, reason: reason, core: core)
    }

    /// `notifications/cancelled` (basic/utilities/cancellation). `reason` is a raw JSON string.
    private func sendCancelled(call: UInt64, reason: ByteBuffer?, core: UpstreamPeerCore) {
        guard case .ready = core.phase, let link = core.link else { return }
        var params = ByteBuffer(string: "{\"requestId\":\(call)")
        if let reason {
            params.writeStaticString(",\"reason\":")
            params.writeImmutableBuffer(reason)
            params.replaceLineBreaks()
        }
        params.writeStaticString("}")
        link.send(MessageWriter.notification(method: Method.cancelled.name, params: params), call: nil)
    }

    func failCalls(_ core: UpstreamPeerCore, _ error: RPCError, where isMeant: (UInt64) -> Bool) {
        let failed = core.calls.keys.filter(isMeant).sorted()
        let handlers = failed.compactMap { take($0, core)?.handler }
        core.waiting.removeAll(where: isMeant)
        for handler in handlers { handler.upstreamFailed(error) }
    }

    /// Looks twice a second for requests whose upstream has been silent too long.
    private func watchDeadlines(_ core: UpstreamPeerCore) {
        guard core.deadlineTask == nil else { return }
        core.deadlineTask = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(500), delay: .milliseconds(500)) { task in
            let core = self.core.value
            let now = self.eventLoop.now
            if !core.openInputs.isEmpty, now - core.lastInput < self.settings.clientInputTimeout { return }
            for (call, entry) in core.calls where entry.deadline <= now {
                let wasWaiting = core.waiting.firstIndex(of: call).map { core.waiting.remove(at: $0) } != nil
                _ = self.take(call, core)
                if !wasWaiting { self.sendCancelled(call: call, reason: .jsonString("timed out"), core: core) }
                let seconds = Double(entry.timeout.nanoseconds) / 1e9
                entry.handler.upstreamFailed(
                    RPCError(
                        code: .requestTimeout,
                        message: wasWaiting
                            ? "upstream \"\(self.name)\" did not start within \(seconds) s: \(core.lastFailure)"
                            : "upstream \"\(self.name)\" did not answer within \(seconds) s (mcpServers.\(self.name).timeout)"))
            }
            if core.calls.isEmpty {
                task.cancel()
                core.deadlineTask = nil
            }
        }
    }

    /// Tasks whose progress can still be told, at most; the oldest are forgotten first.
    private static let maximumTasks = 1000

    private func rememberTask(_ exchange: Exchange, call: UInt64, core: UpstreamPeerCore) {
        core.tasks[call] = exchange
        core.taskOrder.append(call)
        if core.taskOrder.count > Self.maximumTasks, let oldest = core.taskOrder.popFirst() { core.tasks.removeValue(forKey: oldest) }
    }

    // MARK: From the link

    public func link(_ link: any UpstreamLink, received bytes: ByteBuffer) {
        let core = core.value
        guard core.link === link else { return }
        do throws(MessageError) {
            receive(try Message.parse(bytes), core: core)
        } catch {
            // Servers of 2025-03-26 may answer in batches; anything else on stdout is a print statement that went astray.
            if case .batch(let elements)? = try? Message.parsePayload(bytes) {
                for case .success(let message) in elements { receive(message, core: core) }
                return
            }
            if let id = error.id, let json = try? JSONText(validating: id), let call = json.unsigned(json.root) {
                take(call, core)?.handler.upstreamFailed(
                    RPCError(code: .internalError, message: "upstream \"\(name)\" answered with a broken message: \(error)"))
            }
            logger.warning(
                "upstream sent something that is no MCP message",
                metadata: ["upstream": "\(name)", "error": "\(error)", "bytes": "\(bytes.readableBytes)"])
        }
    }

    private func receive(_ message: Message, core: UpstreamPeerCore) {
        switch message.kind {
        case .response, .errorResponse:
            // An answer after a cancellation, or to nothing that was asked, has no taker.
            guard let call = message.json.unsigned(message.id) else { return }
            if call == core.handshakeCall {
                completeHandshake(core, with: message)
            } else if let entry = take(call, core) {
                let now = eventLoop.now
                wasUsed(at: now)
                if let sentAt = entry.sentAt { metrics.responded(afterNanoseconds: (now - sentAt).nanoseconds) }
                if let exchange = entry.handler as? Exchange, exchange.mayBecomeTask { rememberTask(exchange, call: call, core: core) }
                guard message.kind == .errorResponse || message.json.isObject(message.result) else {
                    entry.handler.upstreamFailed(
                        RPCError(code: .internalError, message: "upstream \"\(name)\" answered with a result that is no object"))
                    return
                }
                entry.handler.upstreamResponded(message)
            }
        case .notification:
            if message.methodName == .progress, let call = message.json.unsigned(message.param("progressToken")) {
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
            core.owner?.peer(self, receivedNotification: message)
        case .request:
            if message.methodName == .ping, let id = message.idBytes {
                core.link?.send(MessageWriter.response(id: id, result: ByteBuffer(string: "{}")), call: nil)
                return
            }
            // The server waits for its client: what was asked of it is not silent meanwhile.
            if let id = message.idBytes { core.openInputs.insert(id) }
            core.lastInput = eventLoop.now
            core.owner?.peer(self, receivedRequest: message)
        }
    }

    public func link(_ link: any UpstreamLink, failed call: UInt64, with error: LinkCallFailure) {
        let core = core.value
        guard core.link === link else { return }
        if call == core.handshakeCall {
            core.link = nil
            wentDown(core, reason: "the handshake failed: \(error.text)", mayReconnectAtOnce: false)
            link.close()
            return
        }
        guard var entry = core.calls[call] else { return }
        if case .sessionEnded = error, !entry.wasResent, entry.request != nil {
            entry.wasResent = true
            core.calls[call] = entry
            core.waiting.append(call)
            return
        }
        take(call, core)?.handler.upstreamFailed(
            RPCError(code: .connectionClosed, message: "upstream \"\(name)\" did not answer: \(error.text)"))
    }
}

extension LinkCallFailure {
    fileprivate var text: String {
        switch self {
        case .sessionEnded: "its session ended"
        case .failed(let reason): reason
        }
    }
}
