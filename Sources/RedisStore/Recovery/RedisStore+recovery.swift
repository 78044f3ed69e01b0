import Synchronization
import Logging
import NIOConcurrencyHelpers
import GatewayCore
import NIOCore
import RESP

/// Brings Redis to what this instance acknowledged: after Redis was away, after a failover, after it lost its data.
extension RedisStore {
    /// Starts, unless it is at it; then once more after that.
    func recover() {
        let starts = state.withLockedValue { state in
            guard !state.isClosed else { return false }
            if state.isRecovering { state.mustRecoverAgain = true }
            defer { state.isRecovering = true }
            return !state.isRecovering
        }
        guard starts else { return }
        Task {
            repeat {
                let all = state.withLockedValue { state in
                    defer {
                        state.lostData = false
                        state.mustVerify = false
                        state.hasBacklog = false
                        state.mustRecoverAgain = false
                    }
                    return state.lostData
                }
                do {
                    try await writeAgain(all: all)
                } catch {
                    // The next heartbeat that succeeds tries again.
                    if let error = error as? RedisError { _ = failure(error) }
                    return state.withLockedValue { state in
                        state.lostData = state.lostData || all
                        state.mustVerify = true
                        state.isRecovering = false
                    }
                }
            } while state.withLockedValue { state in
                if !state.mustRecoverAgain { state.isRecovering = false }
                return state.mustRecoverAgain
            }
            if let away = breaker.withLockedValue({ $0.recovered(at: .now()) }) {
                logger.notice("Redis is back", metadata: ["away_ms": "\(away.nanoseconds / 1_000_000)"])
            }
            // What was kept between the last look and the closing of the breaker.
            if state.withLockedValue({ $0.hasBacklog }) { beat() }
        }
    }

    private func writeAgain(all: Bool) async throws {
        try await writeDeletionsAndTasks()
        let now = NIODeadline.now()
        let window = TimeAmount(options.replicationWindow)
        let held = sessions.state.withLockedValue { $0.held }
        var suspects: [SessionID] = []
        var trusted: [(id: SessionID, epoch: UInt64)] = []
        for (id, session) in held where session.phase != .creating {
            if all || session.isDirty || now - session.changedAt < window {
                suspects.append(id)
            } else {
                trusted.append((id, session.epoch))
            }
        }
        for piece in pieces(of: trusted) {
            let reply = try await future(
                .script(
                    Scripts.verify,
                    arguments: [.text(String(identity.incarnation))]
                        + piece.flatMap { [.text($0.id.description), .text(String($0.epoch))] })
            ).get()
            for (session, outcome) in zip(piece, reply.elements ?? []) where outcome.text != "ok" { suspects.append(session.id) }
        }
        for piece in pieces(of: suspects) {
            let calls = piece.compactMap { id in restoration(id).map { (id, $0.held, future($0.call)) } }
            for (id, held, future) in calls { restored(id, held, try await future.get()) }
        }
    }

    private func writeDeletionsAndTasks() async throws {
        let (deletions, tasks) = sessions.state.withLockedValue { ($0.deletions, $0.tasks) }
        for piece in pieces(of: Array(deletions)) {
            let calls = piece.map { id, epoch in
                let fence = fence(epoch: epoch)
                return (
                    id, epoch,
                    future(
                        .script(
                            Scripts.delete, keys: [keys.session(id)], arguments: [.text(id.description), fence.incarnation, fence.epoch]))
                )
            }
            for (id, epoch, future) in calls {
                _ = try await future.get()
                sessions.state.withLockedValue { if $0.deletions[id] == epoch { $0.deletions[id] = nil } }
            }
        }
        for (key, end) in tasks {
            let left = (end - .now()).nanoseconds / 1_000_000
            if left > 0 { _ = try await future(.command(taskCommand(key, milliseconds: left))).get() }
            sessions.state.withLockedValue { if $0.tasks[key] == end { $0.tasks[key] = nil } }
        }
    }

    private func pieces<Element>(of all: [Element]) -> [ArraySlice<Element>] {
        stride(from: 0, to: all.count, by: options.sessionsPerCall).map { all[$0..<min($0 + options.sessionsPerCall, all.count)] }
    }

    // MARK: One session

    /// Writes a session that is at home here again, because Redis does not have it. `body` gets false when it is gone for good.
    func revive(_ id: SessionID, _ body: @escaping @Sendable (_ isThere: Bool) -> Void) {
        guard let (held, call) = restoration(id) else { return body(false) }
        run(call) { [self] result in
            // If Redis is away again the caller finds out by itself.
            guard case .success(let reply) = result else { return body(true) }
            body(restored(id, held, reply))
        }
    }

    /// What is remembered of a session, and the call that writes it. Nil when it is not here any more, or has expired.
    private func restoration(_ id: SessionID) -> (held: HeldSession, call: StoreCall)? {
        guard let held = sessions[id] else { return nil }
        guard held.record.lastSeen >= clock.now() - options.sessionTTL else {
            lose(id)
            return nil
        }
        var arguments: [RedisArgument] = [.text(id.description), .integer(options.expiry)]
        arguments += SessionFields.arguments(held.record, home: identity, epoch: held.epoch)
        arguments.append(.integer(held.removed.count))
        arguments += held.removed.map { .text($0.name) }
        arguments.append(.integer(held.streams.count))
        for stream in held.streams.values {
            arguments += [
                .text(stream.stream.value), .text(stream.kind.rawValue), .bytes(stream.requestIDs ?? ByteBuffer()),
                .integer(stream.createdAt.milliseconds), .text(String(stream.lastSequence)), stream.hasEnded ? "1" : "0",
            ]
        }
        return (held, .script(Scripts.restore, keys: [keys.session(id)], arguments: arguments))
    }

    /// - Returns: whether the session is in Redis, and at home here.
    @discardableResult
    private func restored(_ id: SessionID, _ held: HeldSession, _ reply: RESPValue) -> Bool {
        guard let outcome = reply.word, outcome == "kept" || outcome == "written" else {
            lose(id)
            return false
        }
        if outcome == "written", held.phase == .stored { counters.restored.add() }
        sessions.stored(held)
        return true
    }
}
