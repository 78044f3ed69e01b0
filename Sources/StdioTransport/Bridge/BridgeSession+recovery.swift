import MCPHTTPClient
import MCPProtocol
import NIOCore

/// Waiting for a gateway that is away, and beginning a new session in place of a lost one.
extension BridgeSession {
    // MARK: Messages that wait

    mutating func hold(_ item: Held) -> [BridgeAction] {
        guard held.count < limits.maxHeldMessages, heldBytes + item.bytes <= limits.maxHeldBytes else {
            guard case .request(let request) = item else {
                return [.log("too many messages wait for the gateway; a notification was dropped")]
            }
            return [giveUp(request, "The gateway at \(limits.gateway) is away and too many messages wait for it. Is it running?")]
        }
        held.append(item)
        heldBytes += item.bytes
        return []
    }

    func isHeld(_ key: RequestKey) -> Bool {
        held.contains { if case .request(let request) = $0 { request.key == key } else { false } }
    }

    mutating func removeHeld(_ key: RequestKey) -> Bool {
        let count = held.count
        keepHeld { if case .request(let request) = $0 { request.key != key } else { true } }
        return held.count < count
    }

    private mutating func keepHeld(where condition: (Held) -> Bool) {
        held = CircularBuffer(held.filter(condition))
        heldBytes = held.reduce(0) { $0 + $1.bytes }
    }

    mutating func expire(now: NIODeadline) -> [BridgeAction] {
        var actions: [BridgeAction] = []
        for case .request(let request) in held where request.deadline <= now {
            let seconds = limits.waitLimit.nanoseconds / 1_000_000_000
            actions.append(
                giveUp(
                    request,
                    "The gateway at \(limits.gateway) could not be reached for \(seconds) s. Is it running? Start it with `mcp-gateway serve`."
                ))
        }
        guard !actions.isEmpty else { return [] }
        keepHeld { if case .request(let request) = $0 { request.deadline > now } else { true } }
        return actions
    }

    mutating func releaseHeld() -> [BridgeAction] {
        var actions: [BridgeAction] = []
        let items = held
        held = CircularBuffer()
        heldBytes = 0
        for item in items {
            switch item {
            case .request(let request): actions.append(send(request))
            case .notification(let bytes): actions.append(.send(bytes, token: nil))
            }
        }
        return actions
    }

    // MARK: A gateway that is away

    mutating func gatewayAway(_ error: StreamableHTTPError) -> [BridgeAction] {
        if phase == .open { phase = .waiting }
        guard !isRetryScheduled else { return [] }
        isRetryScheduled = true
        defer { attempts += 1 }
        return [.log("the gateway is away: \(error)"), .scheduleRetry(attempt: attempts)]
    }

    // MARK: A session that is gone

    /// Begins a new session with the client's own `initialize`.
    mutating func reinitialize() -> [BridgeAction] {
        guard let initialize = memory.initialize else { return [] }
        phase = .reinitializing
        generation += 1
        replays.removeAll()
        return [.log("the session is gone; a new one is begun"), replay(initialize)]
    }

    private mutating func replay(_ request: Message) -> BridgeAction {
        let token = nextToken()
        let id = "mcp-gateway-connect/\(token)"
        replays[RequestKey(string: id)] = token
        var bytes = ByteBuffer()
        bytes.write(request.bytes, splicing: [Splice(request.id, .string(id))])
        return .send(bytes, token: token)
    }

    mutating func replayAnswered(_ answer: Message, now: NIODeadline) -> [BridgeAction] {
        switch phase {
        case .reinitializing:
            guard answer.kind == .response else {
                return sessionLost(
                    "the gateway refused to begin a new session: \(answer.json.slice(answer.error).map { String(buffer: $0) } ?? "")")
            }
            return restore(answer)
        case .restoring(let missing):
            let actions: [BridgeAction] =
                answer.kind == .errorResponse ? [.log("the log level or a subscription could not be restored in the new session")] : []
            return actions + restored(missing: missing - 1)
        case .open, .waiting: return []
        }
    }

    private mutating func restore(_ answer: Message) -> [BridgeAction] {
        let former = memory.revision
        memory.noteRevision(answer)
        var actions: [BridgeAction] = []
        if let former, let revision = memory.revision, former != revision {
            actions.append(.log("the new session speaks \(revision), the client was told \(former)"))
        }
        let initialized = memory.initialized ?? MessageWriter.notification(method: Method.initialized.name)
        // The revision first: the notification must carry it.
        if let revision = memory.revision { actions.append(.initialized(revision: revision, openListeningStream: false)) }
        actions.append(.send(initialized, token: nil))
        if let revision = memory.revision { actions.append(.initialized(revision: revision, openListeningStream: true)) }
        let requests = memory.requestsToReplay
        for request in requests { actions.append(replay(request)) }
        return actions + restored(missing: requests.count)
    }

    private mutating func restored(missing: Int) -> [BridgeAction] {
        guard missing <= 0 else {
            phase = .restoring(missing: missing)
            return []
        }
        phase = .open
        return [.log("the new session is ready")] + releaseHeld()
    }

    mutating func replayFailed(_ error: StreamableHTTPError, now: NIODeadline) -> [BridgeAction] {
        if error.isUnreachable || error.isSafeToResend {
            // Whatever was being restored: begin again when the gateway is back.
            phase = .reinitializing
            replays.removeAll()
            return gatewayAway(error)
        }
        switch phase {
        case .restoring(let missing): return [.log("restoring the session: \(error)")] + restored(missing: missing - 1)
        default: return sessionLost("no new session could be begun: \(error)")
        }
    }

    /// No new session can be had: what waits is answered, and the next request tries again.
    private mutating func sessionLost(_ reason: String) -> [BridgeAction] {
        phase = .open
        var actions: [BridgeAction] = [.log(reason)]
        for case .request(let request) in held {
            actions.append(request.isModern ? send(request) : giveUp(request, "The session with the gateway was lost and \(reason)"))
        }
        held = CircularBuffer()
        heldBytes = 0
        return actions + finishIfDrained()
    }
}
