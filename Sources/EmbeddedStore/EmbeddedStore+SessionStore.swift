public import GatewayCore
public import NIOCore

extension EmbeddedStore: SoleSessionStore {
    public func create(_ record: SessionRecord, limits: SessionLimits, completion: @escaping Completion<SessionAdmission>) {
        let cost = record.attributes.values.reduce(record.initializeParams.readableBytes) { $0 + $1.readableBytes }
        submit("create a session", cost: cost) {
            try $0.create(record, limits: limits)
        } completion: {
            completion($0)
        }
    }

    public func load(_ id: SessionID, aliveSince: WallTime, completion: @escaping Completion<SessionRecord?>) {
        submit("load a session", isWrite: false) {
            try $0.load(id, aliveSince: aliveSince)
        } completion: {
            completion($0)
        }
    }

    public func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) {
        guard !sessions.isEmpty else { return }
        submit("touch sessions", work: { $0.touch(sessions) }, completion: nil)
    }

    public func setAttribute(
        _ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, completion: Completion<Void>?
    ) {
        submit("set an attribute of a session", cost: value?.readableBytes ?? 0) {
            try $0.setAttribute(attribute, of: id, to: value)
        } completion: {
            completion?($0)
        }
    }

    public func delete(_ id: SessionID, completion: @escaping Completion<Bool>) {
        submit("delete a session") {
            try $0.delete(id)
        } completion: {
            completion($0)
        }
    }

    public func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime,
        completion: @escaping Completion<SessionPage>
    ) {
        submit("list the sessions of a client", isWrite: false) {
            try $0.sessions(ofClient: clientID, after: position, limit: limit, aliveSince: aliveSince)
        } completion: {
            completion($0)
        }
    }

    public func sessions(
        withAttributePrefix prefix: String, aliveSince: WallTime, completion: @escaping Completion<[SessionRecord]>
    ) {
        submit("list the sessions with an attribute", isWrite: false) {
            try $0.sessions(withAttributePrefix: prefix, aliveSince: aliveSince)
        } completion: {
            completion($0)
        }
    }

    public func count(aliveSince: WallTime, completion: @escaping Completion<Int>) {
        submit("count the sessions", isWrite: false) {
            try $0.count(aliveSince: aliveSince)
        } completion: {
            completion($0)
        }
    }

    public func sweep(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping Completion<[SessionID]>) {
        submit("sweep expired sessions") {
            try $0.sweep(lastSeenBefore: deadline, limit: limit)
        } completion: {
            completion($0)
        }
    }

    public func flush() async {
        await withCheckedContinuation { continuation in
            // Never refused: it carries nothing, and its caller cannot be told.
            submit("flush", isWrite: false, always: true) { _ in
                ()
            } completion: { _ in
                continuation.resume()
            }
        }
    }
}
