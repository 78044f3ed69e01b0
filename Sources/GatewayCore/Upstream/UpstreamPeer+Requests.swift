import DequeModule
import Logging
import MCPProtocol
import NIOCore

/// Requests out. Runs on the event loop.
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
    private func refusal(_ core: UpstreamPeerCore, now: NIODeadline) -> ExchangeFailure? {
        guard core.calls.count < settings.maxInFlight else {
            LimitHits.count(.maxInFlightPerUpstream)
            return ExchangeFailure(
                .limit(.maxInFlightPerUpstream, retryAfter: 1),
                "upstream \"\(name)\" has \(settings.maxInFlight) requests in flight (limits.maxInFlightPerUpstream); try again")
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
        var splices = request.splices + metaSplices(of: request, for: core.info?.era ?? .legacy)
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
                ExchangeFailure(
                    .limit(.maxQueuedInputBytes, retryAfter: 1),
                    "upstream \"\(name)\" does not read its input: no more may wait (limits.maxQueuedInputBytes); try again"))
        case .closed:
            take(call, core)?.handler.upstreamFailed(
                ExchangeFailure(.upstreamUnavailable, "upstream \"\(name)\" is stopping and takes no more requests; try again"))
        }
    }

    /// The call, which is over with this.
    func take(_ call: UInt64, _ core: UpstreamPeerCore) -> UpstreamPeerCore.Call? {
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

    /// `notifications/cancelled` (basic/utilities/cancellation), or what the link has in its place. `reason` is a raw JSON string.
    func sendCancelled(call: UInt64, reason: ByteBuffer?, core: UpstreamPeerCore) {
        guard case .ready = core.phase, let link = core.link else { return }
        if core.info?.era == .modern, link.abandon(call: call) { return }
        var params = ByteBuffer(string: "{\"requestId\":\(call)")
        if let reason {
            params.writeStaticString(",\"reason\":")
            params.writeImmutableBuffer(reason)
            params.replaceLineBreaks()
        }
        params.writeStaticString("}")
        link.send(MessageWriter.notification(method: Method.cancelled.name, params: params), call: nil)
    }

    func failCalls(_ core: UpstreamPeerCore, _ failure: ExchangeFailure, where isMeant: (UInt64) -> Bool) {
        let failed = core.calls.keys.filter(isMeant).sorted()
        let handlers = failed.compactMap { take($0, core)?.handler }
        core.waiting.removeAll(where: isMeant)
        for handler in handlers { handler.upstreamFailed(failure) }
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
                    ExchangeFailure(
                        .upstreamTimeout,
                        wasWaiting
                            ? "upstream \"\(self.name)\" did not start within \(seconds) s: \(core.lastFailure)"
                            : "upstream \"\(self.name)\" did not answer within \(seconds) s (mcpServers.\(self.name).timeout)"))
            }
            if core.calls.isEmpty {
                task.cancel()
                core.deadlineTask = nil
            }
        }
    }
}
