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
            trust(now: .now())
            if let away = breaker.withLockedValue({ $0.recovered(at: .now()) }) {
                logger.notice("Redis is back", metadata: ["away_ms": "\(away.nanoseconds / 1_000_000)"])
            }
            // What was kept between the last look and the closing of the breaker.
            if state.withLockedValue({ $0.hasBacklog }) { beat() }
        }
    }

    /// Writes what Redis does not have, or may have lost; with `all`, everything that is at home here.
    func writeAgain(all: Bool) async throws {
        try await writeDeletionsAndTasks()
        try await retractEvents()
        let doubtful = state.withLockedValue { $0.trustedAt } - TimeAmount(options.replicationWindow)
        let withEvents = Set(recent.sessions)
        let held = sessions.state.withLockedValue { $0.held }
        var suspects: [SessionID] = []
        var trusted: [(id: SessionID, epoch: UInt64)] = []
        for (id, session) in held where session.phase != .creating {
            if all || session.isDirty || session.changedAt >= doubtful || withEvents.contains(id) {
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
            let calls = piece.compactMap { id in restoration(id).map { (id, $0.held, $0.calls.map { future($0) }) } }
            for (id, held, futures) in calls {
                var replies: [RESPValue] = []
                for future in futures {
                    // One that cannot be written must not keep the others from it: it goes on in memory.
                    if let reply = try await answer(future, of: id) { replies.append(reply) }
                }
                if replies.count == futures.count { restored(id, held, replies) }
            }
        }
    }

    /// Redis is there and was there: what is older than the window is with its replica too.
    func trust(now: NIODeadline) {
        state.withLockedValue { $0.trustedAt = now }
        let deadline = now - TimeAmount(options.replicationWindow)
        recent.forget(before: deadline)
        sessions.forgetDeletions(before: deadline)
    }

    private func writeDeletionsAndTasks() async throws {
        let (kept, recent, tasks) = sessions.state.withLockedValue { ($0.deletions, $0.recentDeletions, $0.tasks) }
        let deletions = kept.merging(recent.mapValues(\.epoch)) { kept, _ in kept }
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
        for (key, task) in tasks {
            let left = (task.end - .now()).nanoseconds / 1_000_000
            guard left > 0 else {
                sessions.forgetTask(key)
                continue
            }
            _ = try await future(.command(taskCommand(key, milliseconds: left))).get()
            sessions.taskStored(key, until: task.end)
        }
    }

    private func retractEvents() async throws {
        for (key, sequences) in state.withLockedValue({ $0.doubtfulEvents }) {
            let fence = fence(of: key.session)
            let calls = sequences.map { sequence in
                future(
                    .script(
                        Scripts.retract, keys: [keys.session(key.session), keys.stream(key), keys.events(key)],
                        arguments: [fence.incarnation, fence.epoch, .text(String(sequence))]))
            }
            for call in calls { _ = try await call.get() }
            state.withLockedValue { state in
                let left = state.doubtfulEvents[key]?.subtracting(sequences) ?? []
                state.doubtfulEvents[key] = left.isEmpty ? nil : left
            }
        }
    }

    /// What Redis says of a session; nil when what it has there is none, which is logged.
    private func answer(_ future: EventLoopFuture<RESPValue>, of id: SessionID) async throws -> RESPValue? {
        do {
            return try await future.get()
        } catch let error as RedisError where error.isOfData {
            unreadableLine.write(["session": "\(id.shortened)", "error": "\(error)"])
            return nil
        }
    }

    private func pieces<Element>(of all: [Element]) -> [ArraySlice<Element>] {
        stride(from: 0, to: all.count, by: options.sessionsPerCall).map { all[$0..<min($0 + options.sessionsPerCall, all.count)] }
    }
}
