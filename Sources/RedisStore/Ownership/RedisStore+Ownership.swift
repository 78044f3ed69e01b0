import Logging
import NIOConcurrencyHelpers
public import GatewayCore
import NIOCore
import RESP

extension RedisStore: Ownership {
    /// Makes this instance the home of a session. While Redis is away, those that are at home here stay so; for others it fails
    /// (``StoreError/Kind/unavailable``), and so it does for unknown ones while what Redis has lost is being written again.
    public func claim(_ id: SessionID, aliveSince: WallTime, completion: @escaping Completion<HomeClaim>) {
        let operation = "claim session \(id.shortened)"
        perform(isWrite: true) { [self] _ in
            .script(
                Scripts.claim, keys: [keys.session(id), keys.cluster, keys.instance(identity.name)],
                arguments: [
                    .text(id.description), .text(identity.name), .text(String(identity.incarnation)), .integer(aliveSince.milliseconds),
                    .integer(options.lease.milliseconds), .text(directory.state.withLockedValue { $0.dataID }),
                    sessions.isReleasing(id) ? "1" : "0",
                ])
        } handle: { [self] reply, turn in
            @Sendable func end(_ result: Result<HomeClaim, StoreError>) { finish(turn) { completion(result) } }
            switch reply {
            case .failure(let failure):
                if case .unavailable = failure, let held = sessions[id] {
                    end(.success(held.record.lastSeen >= aliveSince ? .mine(held.record, wasMine: true) : .unknown))
                } else if case .unavailable = failure, sessions.wasDeleted(id) {
                    end(.success(.unknown))
                } else {
                    end(.failure(storeError(operation, failure)))
                }
            case .success(let value):
                switch value.word {
                case "mine": end(claimed(id, value, operation))
                case "elsewhere":
                    // A request that comes here for a session that was at home here finds its new home.
                    if sessions[id] != nil { lose(id) }
                    guard let home = value.elements?.last.flatMap({ ReportedInstance($0) }) else {
                        return end(.failure(garbled(operation)))
                    }
                    guard let record = home.record else {
                        let reason = "it is at home at \(home.identity.name), whose cluster.address is no address"
                        return end(.failure(StoreError(operation: operation, reason: reason)))
                    }
                    end(.success(.elsewhere(record)))
                case "unknown", "recovering":
                    let isRecovering = value.word == "recovering"
                    if isRecovering { beat() }
                    guard let held = sessions[id], held.record.lastSeen >= aliveSince else {
                        let error = StoreError(
                            operation: operation, reason: "Redis came back without its data; sessions are being written again",
                            kind: .unavailable)
                        return end(isRecovering ? .failure(error) : .success(.unknown))
                    }
                    // It was acknowledged, and nobody but its home deletes it: Redis has lost it, or it was at home elsewhere meanwhile.
                    revive(id) { end(.success($0 ? .mine(held.record, wasMine: true) : .unknown)) }
                case "replaced":
                    replaced()
                    end(.failure(storeError(operation, .replaced)))
                default: end(.failure(garbled(operation)))
                }
            }
        }
    }

    private func claimed(_ id: SessionID, _ value: RESPValue, _ operation: String) -> Result<HomeClaim, StoreError> {
        guard let parts = value.elements, parts.count == 3, let epoch = parts[1].text.flatMap({ UInt64($0) }) else {
            return .failure(garbled(operation))
        }
        do throws(StoreError) {
            guard let record = try SessionFields.session(id, parts[2], operation: operation) else { return .failure(garbled(operation)) }
            let known = sessions.claimed(record, epoch: epoch, now: .now())
            return .success(.mine(known.record, wasMine: known.wasMine))
        } catch {
            return .failure(error)
        }
    }

    public func release(_ ids: [SessionID], completion: @escaping Completion<Void>) {
        let released = sessions.setReleasing(ids, true)
        guard !released.isEmpty else { return pass { completion(.success(())) } }
        query("give sessions back", isWrite: true) { [self] in
            .script(
                Scripts.release,
                arguments: [.text(String(identity.incarnation))]
                    + released.flatMap { [.text($0.id.description), .text(String($0.epoch))] })
        } decode: { _ in
            ()
        } completion: { [self] result in
            if case .success = result {
                for (id, epoch) in released where sessions.epoch(of: id) == epoch {
                    _ = sessions.forget(id)
                    recent.forget(id)
                }
            } else {
                _ = sessions.setReleasing(released.filter { sessions.epoch(of: $0.id) == $0.epoch }.map(\.id), false)
            }
            completion(result)
        }
    }

    public func onHomeLost(_ body: @escaping @Sendable (SessionID) -> Void) { state.withLockedValue { $0.onHomeLost = body } }

    /// It is also kept here, up to `RedisStoreOptions.backlogWrites`, and told again when Redis was away.
    public func rememberTask(_ key: String, lifetime: Duration, completion: @escaping @Sendable () -> Void) {
        let end = NIODeadline.now() + TimeAmount(lifetime)
        let isKept = keepInBacklog { $0.keepTask(key, until: end, now: .now()) }
        perform(isWrite: true) { [self] _ in
            .command(taskCommand(key, milliseconds: lifetime.milliseconds))
        } handle: { [self] reply, turn in
            if case .success = reply, isKept { sessions.taskStored(key, until: end) }
            finish(turn, completion)
        }
    }

    func taskCommand(_ key: String, milliseconds: Int64) -> RedisCommand {
        RedisCommand(
            "SET", keys.task(key), .text("\(identity.incarnation)/\(identity.name)"), "PX", .integer(max(1, milliseconds)))
    }

    public func owner(ofTask key: String, completion: @escaping Completion<InstanceRecord?>) {
        query("find the owner of a task") { [self] in
            .script(Scripts.taskOwner, keys: [keys.task(key)], arguments: [.integer(options.lease.milliseconds)])
        } decode: {
            ReportedInstance($0)?.record
        } completion: {
            completion($0)
        }
    }

    // MARK: Homes that are lost

    /// The session is at home elsewhere now, or gone.
    func lose(_ id: SessionID) {
        guard sessions.forget(id) != nil else { return }
        recent.forget(id)
        tellLost(id)
    }

    func tellLost(_ id: SessionID) {
        state.withLockedValue { $0.onHomeLost }?(id)
    }
}
