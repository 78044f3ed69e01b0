import Logging
public import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore

/// Why a session could not be made.
public enum SessionCreationError: Error, Sendable {
    /// The request is wrong.
    case invalid(RPCError)
    /// The gateway is stopping or its store fails; the client may try again.
    case unavailable(RPCError)
    /// There are as many sessions as may be, of this client or in all.
    case tooMany(limit: LimitKey, RPCError)
    /// The client sends too much (`limits.requestRatePerClient`); it may try again after `wait`.
    case tooFast(RPCError, wait: TimeAmount)
}

/// Sessions: made by `initialize`, found again after a restart, ended.
extension Gateway {
    /// The raw params of `initialize` towards upstreams that sessions share.
    var ownInitializeParams: ByteBuffer {
        var params = ByteBuffer(string: "{\"protocolVersion\":\"\(Revision.latestLegacy.rawValue)\",\"capabilities\":{},\"clientInfo\":")
        writeOwnInfo(to: &params)
        params.writeStaticString("}")
        return params
    }

    func writeOwnInfo(to buffer: inout ByteBuffer) { buffer.writeImmutableBuffer(ownInfo) }

    /// An id for a session that is made later.
    public func makeSessionID() -> SessionID { authority.make() }

    /// Makes the session that `initialize` asks for and, when it is durable, hands it over with the response.
    ///
    /// - Parameter id: what the client was told already; nil for one that it learns now.
    public func createSession(
        _ initialize: Message, id sessionID: SessionID? = nil, server: String?,
        completion: @escaping @Sendable (Result<(session: Session, response: ByteBuffer), SessionCreationError>) -> Void
    ) {
        let json = initialize.json
        func missing(_ what: String) {
            ownCounters.count(.initialize, .error)
            completion(.failure(.invalid(RPCError(code: .invalidParams, message: "initialize: \(what)"))))
        }
        guard let requested = json.string(initialize.param("protocolVersion")) else {
            return missing("params.protocolVersion must be a string")
        }
        guard json.isObject(initialize.param("capabilities")) else { return missing("params.capabilities must be an object") }
        let clientInfo = initialize.param("clientInfo")
        guard json.isObject(clientInfo), let clientName = json.string(json.member("name", of: clientInfo)) else {
            return missing("params.clientInfo must be an object with a name")
        }
        guard let params = json.slice(initialize.params), let id = initialize.idBytes else { return missing("params are missing") }
        let now = clock.now()
        // A copy: the slice would keep the whole request's memory alive.
        let record = SessionRecord(
            id: sessionID ?? authority.make(), clientID: String(clientName.prefix(255)), revision: .negotiate(requested: requested),
            server: server,
            initializeParams: ByteBuffer(bytes: params.readableBytesView), createdAt: now, lastSeen: now)
        create(record) { result in
            self.ownCounters.count(.initialize, (try? result.get()) == nil ? .error : .ok)
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let session):
                self.whenSettled(server: server) {
                    session.forgetListChanges()
                    completion(.success((session, MessageWriter.response(id: id, result: self.initializeResult(for: session)))))
                }
            }
        }
    }

    /// Makes a session durable and takes it into memory. Where a limit would refuse it, sessions that have expired make room first.
    func create(_ record: SessionRecord, completion: @escaping @Sendable (Result<Session, SessionCreationError>) -> Void) {
        guard !isDraining else {
            return completion(.failure(.unavailable(RPCError(code: .internalError, message: "the gateway is shutting down; try again"))))
        }
        if let wait = takeRequests(1, ofClient: record.clientID, now: .now()) {
            LimitHits.count(.requestRatePerClient)
            let message = "this client sends more than \(settings.requestRatePerClient) requests per second (limits.requestRatePerClient)"
            return completion(.failure(.tooFast(RPCError(code: .internalError, message: message + "; try again"), wait: wait)))
        }
        admit(record, completion: completion)
    }

    /// Adds a session to the store, once more after each sweep that made room.
    private func admit(_ record: SessionRecord, completion: @escaping @Sendable (Result<Session, SessionCreationError>) -> Void) {
        let limits = SessionLimits(overall: settings.maxSessions, perClient: settings.maxSessionsPerClient)
        sessions.create(record, limits: limits) { result in
            switch result {
            case .failure(let error):
                self.lines.sessionNotStored.write(["error": "\(error)"])
                completion(
                    .failure(.unavailable(RPCError(code: .internalError, message: "the session could not be stored: \(error.reason)"))))
            case .success(.tooMany(let limit)):
                // The store counts what is in it, expired or not, and decides anew on what the sweep leaves.
                let deadline = self.clock.now() - self.settings.sessionTTL
                self.flushTouches()
                self.sweepSessions(lastSeenBefore: deadline, limit: Self.sweepSize) { swept in
                    guard swept == 0 else { return self.admit(record, completion: completion) }
                    LimitHits.count(limit)
                    completion(.failure(.tooMany(limit: limit, self.tooManySessions(limit))))
                }
            case .success(.created):
                completion(.success(self.registry.insert(Session(record: record, gateway: self))))
            }
        }
    }

    private func tooManySessions(_ limit: LimitKey) -> RPCError {
        let message =
            limit == .maxSessionsPerClient
            ? "this client has \(settings.maxSessionsPerClient) sessions already (\(limit.rawValue)); end one with DELETE or try later"
            : "there are \(settings.maxSessions) sessions already (\(limit.rawValue)); try later"
        return RPCError(code: .internalError, message: message)
    }

    /// False for an id that no session can have: a forged one. Asks no store.
    public func mayExist(_ id: SessionID) -> Bool { registry[id] != nil || authority.isGenuine(id) }

    /// Finds a session, in memory or in the store. Nil when the id is forged, unknown, ended or expired; among several instances also when
    /// it is at home at another one.
    public func session(_ id: SessionID, completion: @escaping @Sendable (Result<Session?, StoreError>) -> Void) {
        guard cluster == nil else {
            return locate(id, from: .instance(forwardReason)) { result in
                completion(result.map { if case .here(let session) = $0 { session } else { nil } })
            }
        }
        let now = clock.now()
        let aliveSince = now - settings.sessionTTL
        if let session = registry[id] {
            guard session.state.withLockedValue({ $0.lastSeen }) >= aliveSince else {
                endLocally(session)
                return completion(.success(nil))
            }
            registry.touch(session, now: now)
            return completion(.success(session))
        }
        guard authority.isGenuine(id) else { return completion(.success(nil)) }
        sessions.load(id, aliveSince: aliveSince) { result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(nil): completion(.success(nil))
            case .success(let record?):
                self.restore(record) { session in
                    self.registry.touch(session, now: now)
                    completion(.success(session))
                }
            }
        }
    }

    /// Brings a stored session back into memory, with the stream its client will come back to.
    func restore(_ record: SessionRecord, completion: @escaping @Sendable (Session) -> Void) {
        events.streams(of: record.id) { result in
            let session = self.registry.insert(Session(record: record, gateway: self))
            if case .success(let streams) = result { session.restoreStreams(streams) }
            completion(session)
        }
    }

    /// Ends a session for good. False when it had ended before.
    public func endSession(_ session: Session, completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        endLocally(session)
        sessions.delete(session.id, completion: completion)
    }

    func endLocally(_ session: Session) {
        registry.remove(session.id)
        _ = session.end()
    }

    func flushTouches() {
        let touched = registry.takeTouched()
        if !touched.isEmpty { sessions.touch(touched) }
    }

    /// Deletes expired sessions and old events, and lets unused sessions leave memory.
    func sweep() {
        flushTouches()
        let now = clock.now()
        sweepAllSessions(lastSeenBefore: now - settings.sessionTTL)
        pruneEvents(before: now - settings.streamRetention)
        let evicted = registry.evictIdle(since: now - settings.memoryIdleTime)
        if !evicted.isEmpty { cluster?.ownership.release(evicted.map(\.id)) { _ in } }
    }

    /// Sessions that are deleted at once, at most.
    private static let sweepSize = 1000

    private func sweepAllSessions(lastSeenBefore deadline: WallTime) {
        sweepSessions(lastSeenBefore: deadline, limit: Self.sweepSize) { swept in
            // In pieces, so that others get their turn.
            if swept == Self.sweepSize { self.sweepAllSessions(lastSeenBefore: deadline) }
        }
    }

    /// Deletes expired sessions, those first that expired first, and tells how many; 0 also when the store fails.
    private func sweepSessions(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping @Sendable (Int) -> Void) {
        sessions.sweep(lastSeenBefore: deadline, limit: limit) { result in
            guard case .success(let expired) = result else { return completion(0) }
            for id in expired { self.registry[id].map(self.endLocally) }
            if !expired.isEmpty { self.logger.info("expired sessions deleted", metadata: ["count": "\(expired.count)"]) }
            completion(expired.count)
        }
    }

    private func pruneEvents(before deadline: WallTime) {
        events.prune(before: deadline) { result in
            if case .success(1...) = result { self.pruneEvents(before: deadline) }
        }
    }

    // MARK: The result of initialize

    /// What the gateway says of itself, or of the one server the session is confined to.
    func initializeResult(for session: Session) -> ByteBuffer {
        var result = ByteBuffer(string: "{\"protocolVersion\":\"\(session.revision.rawValue)\",\"capabilities\":")
        if let server = session.server, let host = host(named: server), let info = host.info {
            // One server: its own words, except that lists may always change here (the configuration can).
            result.writeImmutableBuffer(capabilities(of: host, for: session) ?? ByteBuffer(string: "{}"))
            result.writeStaticString(",\"serverInfo\":")
            if let serverInfo = info.serverInfo { result.writeImmutableBuffer(serverInfo) } else { writeOwnInfo(to: &result) }
            writeInstructions(info.instructions, to: &result)
        } else {
            result.writeStaticString(
                "{\"completions\":{},\"logging\":{},\"prompts\":{\"listChanged\":true},\"resources\":{\"listChanged\":true,\"subscribe\":true}"
            )
            if session.revision >= .v2025_11_25, let tasks = legacyTasksCapability(of: hosts) {
                result.writeStaticString(",\"tasks\":")
                result.writeImmutableBuffer(tasks)
            }
            result.writeStaticString(",\"tools\":{\"listChanged\":true}},\"serverInfo\":")
            writeOwnInfo(to: &result)
            writeInstructions(joinedInstructions(of: hosts), to: &result)
        }
        result.writeStaticString("}")
        return result
    }

    /// What servers say to clients of all of them, each under its name; nil when none says anything.
    func joinedInstructions(of hosts: [UpstreamHost]) -> String? {
        let instructions = hosts.compactMap { host in host.info?.instructions.map { "# \(host.name)\n\($0)" } }
        return instructions.isEmpty ? nil : instructions.joined(separator: "\n\n")
    }

    private func writeInstructions(_ instructions: String?, to buffer: inout ByteBuffer) {
        guard let instructions else { return }
        buffer.writeStaticString(",\"instructions\":")
        buffer.writeJSONString(instructions)
    }
}
