import DequeModule
import Logging
import MCPProtocol
import NIOCore

/// Start, handshake, crash, restart, stop. Runs on the event loop.
extension UpstreamPeer {
    func connectIfNeeded(_ core: UpstreamPeerCore) {
        switch core.phase {
        case .idle: connect(core)
        case .givenUp(let until, _) where eventLoop.now >= until: connect(core)
        default: return
        }
    }

    private func connect(_ core: UpstreamPeerCore) {
        core.attempt += 1
        if core.attempt > 1 { metrics.restarted() }
        let attempt = core.attempt
        core.phase = .connecting(attempt: attempt)
        eventLoop.scheduleTask(in: settings.handshakeTimeout) { self.handshakeTimedOut(attempt: attempt) }
        factory.connect(on: eventLoop, delegate: self).whenComplete { result in
            let core = self.core.value
            switch result {
            case .success(let link):
                guard case .connecting(attempt) = core.phase else {
                    link.close()
                    return
                }
                core.link = link
                core.window.restarted()
                self.shakeHands(core, link: link)
            case .failure(let error):
                guard case .connecting(attempt) = core.phase else {
                    self.finishStop(core)
                    return
                }
                self.wentDown(core, reason: "\(error)", mayReconnectAtOnce: false)
            }
        }
    }

    private func shakeHands(_ core: UpstreamPeerCore, link: any UpstreamLink) {
        let handshake = Handshake(policy: core.skipsProbe ? .legacy : settings.era, known: settings.knownEra.assumed)
        core.handshake = handshake
        perform(.send(handshake.first), core: core)
        watchProbe(attempt: core.attempt, until: eventLoop.now + .nanoseconds(settings.handshakeTimeout.nanoseconds / 2))
    }

    /// The time for the answer begins when the server has read the probe: one that takes long to start is not silent yet.
    private func watchProbe(attempt: UInt64, until deadline: NIODeadline) {
        let core = core.value
        guard case .connecting(attempt) = core.phase, let link = core.link, core.handshake?.isProbing == true else { return }
        let now = eventLoop.now
        if link.hasUnreadInput, now < deadline {
            eventLoop.scheduleTask(in: .milliseconds(50)) { self.watchProbe(attempt: attempt, until: deadline) }
            return
        }
        eventLoop.scheduleTask(deadline: min(deadline, now + settings.probeTimeout)) {
            let core = self.core.value
            guard case .connecting(attempt) = core.phase else { return }
            self.step(core) { $0.probeTimedOut() }
        }
    }

    /// Something happened that the handshake has to be told.
    func step(_ core: UpstreamPeerCore, _ body: (inout Handshake) -> Handshake.Verdict) {
        guard case .connecting = core.phase, var handshake = core.handshake else { return }
        let verdict = body(&handshake)
        core.handshake = handshake
        perform(verdict, core: core)
    }

    private func perform(_ verdict: Handshake.Verdict, core: UpstreamPeerCore) {
        switch verdict {
        case .nothing: return
        case .failed(let reason): failHandshake(core, reason: reason)
        case .ready(let info): completeHandshake(core, info: info)
        case .send(let step):
            guard let link = core.link else { return }
            let call = core.nextCall
            core.nextCall += 1
            core.handshake?.sent(step, as: call)
            let bytes =
                switch step {
                case .initialize:
                    MessageWriter.request(id: call, method: Method.initialize.name, params: settings.initializeParams)
                case .discover(let revision):
                    MessageWriter.request(id: call, method: Method.serverDiscover.name, params: settings.discoverParams(revision))
                }
            link.send(bytes, call: call)
        }
    }

    private func handshakeTimedOut(attempt: UInt64) {
        let core = core.value
        guard case .connecting(attempt) = core.phase else { return }
        let seconds = Double(settings.handshakeTimeout.nanoseconds) / 1e9
        logger.warning("upstream did not finish the handshake in time", metadata: ["upstream": "\(name)", "seconds": "\(seconds)"])
        failHandshake(core, reason: "it did not answer \(core.handshake?.name ?? Method.initialize.name) within \(seconds) s")
    }

    /// The server answered, but not so that one can go on.
    private func failHandshake(_ core: UpstreamPeerCore, reason: String) {
        guard case .connecting = core.phase else { return }
        let link = core.link
        core.link = nil
        wentDown(core, reason: reason, mayReconnectAtOnce: false)
        link?.close()
    }

    private func completeHandshake(_ core: UpstreamPeerCore, info: UpstreamInfo) {
        guard let link = core.link else { return }
        core.handshake = nil
        core.skipsProbe = false
        settings.knownEra.found(info.era)
        core.info = info
        core.phase = .ready
        core.readySince = eventLoop.now
        wasUsed(at: eventLoop.now)
        link.handshakeCompleted(revision: info.revision)
        // The end of `initialize` (basic/lifecycle).
        if info.era == .legacy { link.send(MessageWriter.notification(method: Method.initialized.name), call: nil) }
        logger.info("upstream is ready", metadata: ["upstream": "\(name)", "revision": "\(info.revision.rawValue)"])
        beginListening(core, info: info)
        core.owner?.peerBecameReady(self, info: info)
        while let call = core.waiting.popFirst() {
            guard let entry = core.calls[call], let request = entry.request else { continue }
            transmit(request, call: call, at: eventLoop.now, core: core)
        }
    }

    /// The server ended unasked, or could not be started.
    func wentDown(_ core: UpstreamPeerCore, reason: String, mayReconnectAtOnce: Bool) {
        let wasReady = core.readySince
        core.readySince = nil
        if wasReady == nil { settings.knownEra.doubt() }
        core.handshake = nil
        core.skipsProbe = false
        core.openInputs.removeAll()
        core.tasks.removeAll()
        core.taskOrder.removeAll()
        core.info = nil
        endListening(core)
        core.lastFailure = reason
        // What was sent may have been acted on: it is not sent again. What waits can still be answered by the next start, unless it was
        // the start that failed: then the reason is known and there is nothing to wait for.
        let waiting = wasReady == nil && !mayReconnectAtOnce ? [] : Set(core.waiting)
        failCalls(
            core,
            wasReady == nil
                ? ExchangeFailure(.upstreamUnavailable, "upstream \"\(name)\" could not be started: \(reason)")
                : ExchangeFailure(.upstreamFailed, "upstream \"\(name)\" stopped before it answered: \(reason)"),
            where: { !waiting.contains($0) })
        if mayReconnectAtOnce {
            core.phase = .idle
            let willRestart = core.wantsToRun || !core.calls.isEmpty
            core.owner?.peerWentDown(self, reason: reason, willRestart: willRestart)
            if willRestart { connect(core) }
            return
        }
        let now = eventLoop.now
        var random = SystemRandomNumberGenerator()
        switch core.backoff.next(at: now, uptime: wasReady.map { now - $0 }, using: &random) {
        case .restart(let delay):
            let willRestart = core.wantsToRun && restartsByItself || !core.waiting.isEmpty
            logger.warning(
                "upstream stopped",
                metadata: [
                    "upstream": "\(name)", "reason": "\(reason)",
                    "restart": willRestart ? "after \(delay.nanoseconds / 1_000_000) ms" : "on the next request",
                ])
            core.phase = .waiting
            core.owner?.peerWentDown(self, reason: reason, willRestart: willRestart)
            let attempt = core.attempt
            eventLoop.scheduleTask(in: delay) {
                let core = self.core.value
                guard case .waiting = core.phase, core.attempt == attempt else { return }
                core.phase = .idle
                if core.wantsToRun && self.restartsByItself || !core.waiting.isEmpty { self.connect(core) }
            }
        case .giveUp(let until):
            logger.error(
                "upstream keeps failing; given up for now",
                metadata: ["upstream": "\(name)", "reason": "\(reason)", "seconds": "\((until - now).nanoseconds / 1_000_000_000)"])
            core.phase = .givenUp(until: until, reason: reason)
            failCalls(core, givenUpError(reason: reason), where: { _ in true })
            core.owner?.peerWentDown(self, reason: reason, willRestart: restartsByItself)
            let attempt = core.attempt
            eventLoop.scheduleTask(deadline: until) {
                let core = self.core.value
                guard case .givenUp = core.phase, core.attempt == attempt else { return }
                core.phase = .idle
                if core.wantsToRun && self.restartsByItself { self.connect(core) }
            }
        }
    }

    /// A modern server works for all, whatever it was configured for.
    private var restartsByItself: Bool { settings.restartsByItself || settings.knownEra.found == .modern }

    func givenUpError(reason: String) -> ExchangeFailure {
        ExchangeFailure(
            .upstreamUnavailable,
            "upstream \"\(name)\" failed too often and is paused; last failure: \(reason). Run `mcp-gateway doctor` for details.")
    }

    func stop(_ core: UpstreamPeerCore, promise: EventLoopPromise<Void>) {
        core.stopPromises.append(promise)
        core.wantsToRun = false
        endListening(core)
        switch core.phase {
        case .stopping: return
        case .stopped: finishStop(core)
        case .idle, .waiting, .givenUp:
            core.phase = .stopped
            failCalls(core, stoppedError, where: { _ in true })
            finishStop(core)
        case .connecting, .ready, .pausing:
            core.phase = .stopping
            failCalls(core, stoppedError, where: { _ in true })
            // A link that is still being made is closed, and reported, by the completion of `connect`.
            core.link?.close()
        }
    }

    var stoppedError: ExchangeFailure { ExchangeFailure(.upstreamUnavailable, "upstream \"\(name)\" is being stopped") }

    func finishStop(_ core: UpstreamPeerCore) {
        if case .stopping = core.phase { core.phase = .stopped }
        guard case .stopped = core.phase else { return }
        for promise in core.stopPromises { promise.succeed(()) }
        core.stopPromises.removeAll()
        core.deadlineTask?.cancel()
        core.deadlineTask = nil
    }
}

extension UpstreamPeer: UpstreamLinkDelegate {
    public func link(_ link: any UpstreamLink, closed reason: LinkClosure) {
        let core = core.value
        guard core.link === link else {
            finishStop(core)
            return
        }
        core.link = nil
        switch core.phase {
        case .stopping:
            core.phase = .stopped
            finishStop(core)
        case .pausing:
            // Stopped for being idle; a request that came meanwhile starts it again.
            core.phase = .idle
            core.readySince = nil
            core.info = nil
            endListening(core)
            core.owner?.peerWentDown(self, reason: reason.description, willRestart: !core.waiting.isEmpty)
            if !core.waiting.isEmpty { connectIfNeeded(core) }
        case .connecting where core.handshake?.wasEndedByProbe == true:
            // There are legacy servers that end with the first request which is not `initialize`.
            core.handshake = nil
            core.skipsProbe = true
            connect(core)
        case .connecting, .ready:
            wentDown(core, reason: reason.description, mayReconnectAtOnce: reason.mayReconnectAtOnce)
        case .idle, .waiting, .givenUp, .stopped:
            break
        }
    }
}
