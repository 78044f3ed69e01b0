import NIOConcurrencyHelpers
public import GatewayCore
public import NIOCore
import RESP

extension RedisStore: SessionStore {
    /// Adds a session, at home here. While Redis is away it is kept in memory, up to `RedisStoreOptions.backlogSessions`, without regard to
    /// the limits, and written when Redis is back.
    public func create(_ record: SessionRecord, limits: SessionLimits, completion: @escaping Completion<SessionAdmission>) {
        let operation = "create session \(record.id.shortened)"
        let cost = record.attributes.values.reduce(record.initializeParams.readableBytes) { $0 + $1.readableBytes }
        let isNew = sessions.add(record, now: .now())
        perform(cost: cost, isWrite: true) { [self] isRepetition in
            .script(
                Scripts.create, keys: [keys.session(record.id), keys.sessions, keys.client(record.clientID)],
                arguments: [
                    .text(record.id.description), isRepetition ? "1" : "0", Self.bound(limits.overall), Self.bound(limits.perClient),
                    .integer(options.expiry),
                ] + SessionFields.arguments(record, home: identity, epoch: 1))
        } handle: { [self] reply, turn in
            let result: Result<SessionAdmission, StoreError>
            switch reply.map(\.word) {
            case .success("created"):
                sessions.created(record.id)
                noteWrite()
                result = .success(.created)
            case .success("overall"): result = .success(.tooMany(.maxSessions))
            case .success("client"): result = .success(.tooMany(.maxSessionsPerClient))
            case .success("exists"): result = .failure(StoreError(operation: operation, reason: "a session with that id exists"))
            case .success: result = .failure(garbled(operation))
            case .failure(let failure):
                if case .unavailable = failure, isNew, !isClosed, keepInBacklog({ $0.keep(record.id) }) {
                    result = .success(.created)
                } else {
                    result = .failure(storeError(operation, failure))
                }
            }
            if isNew, (try? result.get()) != .created { _ = sessions.forget(record.id) }
            finish(turn) { completion(result) }
        }
    }

    private static func bound(_ limit: Int?) -> RedisArgument { limit.map { .integer($0) } ?? "" }

    /// While Redis is away, those that are at home here are known.
    public func load(_ id: SessionID, aliveSince: WallTime, completion: @escaping Completion<SessionRecord?>) {
        let operation = "load session \(id.shortened)"
        query(operation) { [self] in
            .command(RedisCommand("HGETALL", keys.session(id)))
        } decode: { value throws(StoreError) in
            try SessionFields.session(id, value, operation: operation)
        } completion: { [self] result in
            switch result {
            case .success(var record):
                // What was acknowledged while Redis was away is newer.
                if let held = sessions[id], held.isDirty { record = held.record }
                completion(.success(record.flatMap { $0.lastSeen >= aliveSince ? $0 : nil }))
            case .failure(let error):
                guard error.kind == .unavailable, let held = sessions[id] else { return completion(.failure(error)) }
                completion(.success(held.record.lastSeen >= aliveSince ? held.record : nil))
            }
        }
    }

    public func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) {
        self.sessions.touch(sessions)
        for start in stride(from: 0, to: sessions.count, by: options.sessionsPerCall) {
            let piece = sessions[start..<min(start + options.sessionsPerCall, sessions.count)]
            perform(isWrite: true) { [self] _ in
                .script(
                    Scripts.touch,
                    arguments: [.integer(options.expiry)]
                        + piece.flatMap { [.text($0.id.description), .integer($0.lastSeen.milliseconds)] })
            } handle: { [self] reply, turn in
                // Nobody waits: those that are at home here are written from memory when Redis is back.
                if case .failure(.unavailable) = reply, !isClosed {
                    self.sessions.notTouched(piece.map(\.id))
                    state.withLockedValue { $0.hasBacklog = true }
                }
                finish(turn) {}
            }
        }
    }

    /// While Redis is away, attributes of sessions that are at home here are kept, up to `RedisStoreOptions.backlogWrites`.
    public func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, completion: Completion<Void>?) {
        let operation = "set an attribute of session \(id.shortened)"
        sessions.setAttribute(attribute, of: id, to: value, now: .now())
        fencedWrite(operation, id, cost: value?.readableBytes ?? 0) { [self] isRepetition in
            // A repetition may come after a newer value.
            let value = isRepetition ? sessions.attribute(attribute, of: id) ?? value : value
            let fence = fence(of: id)
            return .script(
                Scripts.setAttribute, keys: [keys.session(id)],
                arguments: [
                    .text(id.description), fence.incarnation, fence.epoch, .text(attribute.name), value == nil ? "0" : "1",
                    .bytes(value ?? ByteBuffer()),
                ])
        } completion: { [self] result in
            switch result {
            case .success: completion?(.success(()))
            case .failure(let error):
                if error.kind == .unavailable, !isClosed, keepInBacklog({ $0.keepWrite(of: id) }) {
                    completion?(.success(()))
                } else {
                    completion?(.failure(error))
                }
            }
        }
    }

    /// Deletes a session. While Redis is away, the deletion of one that is at home here is kept, up to `RedisStoreOptions.backlogWrites`.
    public func delete(_ id: SessionID, completion: @escaping Completion<Bool>) {
        let operation = "delete session \(id.shortened)"
        let held: HeldSession?
        switch sessions.beginDeletion(id, on: client.eventLoop) {
        case .begun(let session): held = session
        case .underWay(let outcome):
            // Only one of many has deleted it.
            return pass(after: outcome) { completion($0.map { _ in false }) }
        }
        recent.forget(id)
        let fence = held.map { self.fence(epoch: $0.epoch) } ?? noFence
        perform(isWrite: true) { [self] _ in
            .script(
                Scripts.delete, keys: [keys.session(id)], arguments: [.text(id.description), fence.incarnation, fence.epoch])
        } handle: { [self] reply, turn in
            let result: Result<Bool, StoreError>
            var failed: HeldSession?
            switch reply.map(\.word) {
            case .success("ok"):
                if let held { sessions.deleted(id, epoch: held.epoch, now: .now()) }
                result = .success(true)
            case .success("missing"): result = .success(held?.phase == .backlog)
            case .success("fenced"):
                if held != nil { tellLost(id) }
                result = .failure(fenced(operation))
            case .success: result = .failure(garbled(operation))
            case .failure(let failure):
                if case .unavailable = failure, let held, !isClosed, keepInBacklog({ $0.keepDeletion(id, epoch: held.epoch) }) {
                    result = .success(true)
                } else {
                    failed = held
                    result = .failure(storeError(operation, failure))
                }
            }
            if held != nil { sessions.endDeletion(id, result, puttingBack: failed) }
            finish(turn) { completion(result) }
        }
    }

    /// One call looks at no more than `RedisStoreOptions.sessionsPerCall`; a page may have fewer sessions for that.
    public func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime,
        completion: @escaping Completion<SessionPage>
    ) {
        query("list the sessions of a client") { [self] in
            .script(
                Scripts.ofClient, keys: [keys.client(clientID)],
                arguments: [
                    .integer(aliveSince.milliseconds), .integer(limit), .integer(options.sessionsPerCall),
                    position.map { .integer($0.createdAt.milliseconds) } ?? "", position.map { .text($0.lastID.description) } ?? "",
                ])
        } decode: {
            SessionFields.page($0, ofClient: clientID)
        } completion: {
            completion($0)
        }
    }

    public func count(aliveSince: WallTime, completion: @escaping Completion<Int>) {
        query("count the sessions") { [self] in
            .command(RedisCommand("ZCOUNT", keys.sessions, .integer(aliveSince.milliseconds), "+inf"))
        } decode: { value in
            Int(value.int ?? 0)
        } completion: {
            completion($0)
        }
    }

    public func sweep(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping Completion<[SessionID]>) {
        query("sweep expired sessions") { [self] in
            .script(
                Scripts.sweep, keys: [keys.sessions], arguments: [.integer(deadline.milliseconds), .integer(max(0, limit))])
        } decode: { value in
            (value.elements ?? []).compactMap { $0.text.flatMap { SessionID($0) } }
        } completion: { [self] result in
            for id in (try? result.get()) ?? [] { _ = sessions.forget(id) }
            sessions.forget(seenBefore: deadline)
            completion(result)
        }
    }

    public func flush() async {
        await withCheckedContinuation { continuation in pass { continuation.resume() } }
    }
}
