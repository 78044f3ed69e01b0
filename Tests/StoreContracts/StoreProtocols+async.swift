import GatewayCore
import MCPProtocol
import NIOCore

/// The protocols' calls, awaited.
extension SessionStore {
    @discardableResult
    func create(_ record: SessionRecord, limits: SessionLimits = .none) async throws -> SessionAdmission {
        try await withCheckedThrowingContinuation { next in create(record, limits: limits) { next.resume(with: $0) } }
    }
    func load(_ id: SessionID, aliveSince: WallTime = .zero) async throws -> SessionRecord? {
        try await withCheckedThrowingContinuation { next in load(id, aliveSince: aliveSince) { next.resume(with: $0) } }
    }
    func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: String?) async throws {
        try await withCheckedThrowingContinuation { next in
            setAttribute(attribute, of: id, to: value.map { ByteBuffer(string: $0) }) { next.resume(with: $0) }
        }
    }
    func delete(_ id: SessionID) async throws -> Bool {
        try await withCheckedThrowingContinuation { next in delete(id) { next.resume(with: $0) } }
    }
    func sessions(
        ofClient client: String, after position: SessionPosition? = nil, limit: Int = 1_000, aliveSince: WallTime = .zero
    ) async throws -> SessionPage {
        try await withCheckedThrowingContinuation { next in
            sessions(ofClient: client, after: position, limit: limit, aliveSince: aliveSince) { next.resume(with: $0) }
        }
    }
    func count(aliveSince: WallTime = .zero) async throws -> Int {
        try await withCheckedThrowingContinuation { next in count(aliveSince: aliveSince) { next.resume(with: $0) } }
    }
    func sweep(lastSeenBefore deadline: WallTime, limit: Int) async throws -> [SessionID] {
        try await withCheckedThrowingContinuation { next in sweep(lastSeenBefore: deadline, limit: limit) { next.resume(with: $0) } }
    }
}

extension EventLog {
    func open(_ stream: StreamRecord) async throws {
        try await withCheckedThrowingContinuation { next in open(stream) { next.resume(with: $0) } }
    }
    func append(_ sequence: UInt64, _ message: String, to stream: StreamID, of session: SessionID, ends: Bool = false) async throws {
        try await withCheckedThrowingContinuation { next in
            append(StreamEvent(sequence: sequence, message: ByteBuffer(string: message)), to: stream, of: session, ends: ends) {
                next.resume(with: $0)
            }
        }
    }
    func read(
        _ stream: StreamID, of session: SessionID, after: UInt64 = 0, limit: Int = 1_000
    ) async throws -> (record: StreamRecord, events: [StreamEvent])? {
        try await withCheckedThrowingContinuation { next in read(stream, of: session, after: after, limit: limit) { next.resume(with: $0) }
        }
    }
    func setRepetitions(of stream: StreamID, in session: SessionID, to count: Int) async throws {
        try await withCheckedThrowingContinuation { next in
            setRepetitions(of: stream, in: session, to: count) { next.resume(with: $0) }
        }
    }
    func streams(of session: SessionID) async throws -> [StreamRecord] {
        try await withCheckedThrowingContinuation { next in streams(of: session) { next.resume(with: $0) } }
    }
    @discardableResult
    func prune(before deadline: WallTime) async throws -> Int {
        try await withCheckedThrowingContinuation { next in prune(before: deadline) { next.resume(with: $0) } }
    }
}

extension WallTime {
    static let zero = WallTime(milliseconds: 0)
    static func at(_ milliseconds: Int64) -> WallTime { WallTime(milliseconds: milliseconds) }
}

/// Makes records with ids of their own.
enum Sample {
    static let authority = SessionIDAuthority(key: [UInt8](repeating: 7, count: 32))

    static func session(
        id: SessionID = authority.make(), client: String = "client", server: String? = nil, params: String = #"{"a":1}"#,
        created: Int64 = 1_000, seen: Int64 = 1_000,
        attributes: [SessionAttribute: ByteBuffer] = [:]
    ) -> SessionRecord {
        SessionRecord(
            id: id, clientID: client, revision: .v2025_06_18, server: server, initializeParams: ByteBuffer(string: params),
            createdAt: .at(created), lastSeen: .at(seen), attributes: attributes)
    }

    static func stream(
        _ name: String, of session: SessionID, kind: StreamRecord.Kind = .exchange, requests: String? = "1", repeatable: String? = nil,
        created: Int64 = 1_000
    ) -> StreamRecord {
        StreamRecord(
            session: session, stream: StreamID(name), kind: kind, requestIDs: requests.map { ByteBuffer(string: $0) },
            repeatableRequests: repeatable.map { ByteBuffer(string: $0) }, createdAt: .at(created))
    }
}

extension StreamEvent {
    var text: String { String(buffer: message) }
}

extension SoleSessionStore {
    func sessions(withAttributePrefix prefix: String, aliveSince: WallTime = .zero) async throws -> [SessionRecord] {
        try await withCheckedThrowingContinuation { next in
            sessions(withAttributePrefix: prefix, aliveSince: aliveSince) { next.resume(with: $0) }
        }
    }
}
