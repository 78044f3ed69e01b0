import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

@testable import GatewayCore

/// A session store and an event log in memory. Calls are queued; nothing happens, and no completion runs, until `run()`.
final class MemoryStores: SoleSessionStore, EventLog {
    struct Stream {
        var record: StreamRecord
        var events: [StreamEvent] = []
    }

    private struct State {
        var queue: [@Sendable () -> Void] = []
        var sessions: [SessionID: SessionRecord] = [:]
        var order: [SessionID] = []
        var streams: [SessionID: [Stream]] = [:]
        var failure: String?
        var outlivesProcess = true
        var repetitionFailure: StoreError?
        var touches: [(id: SessionID, lastSeen: WallTime)] = []
        var prunes: [WallTime] = []
    }

    private let state = NIOLockedValueBox(State())

    /// While set, every call fails with it.
    var failure: String? {
        get { state.withLockedValue { $0.failure } }
        set { state.withLockedValue { $0.failure = newValue } }
    }

    /// Whether it passes for a store that the next process opens again.
    var outlivesProcess: Bool {
        get { state.withLockedValue { $0.outlivesProcess } }
        set { state.withLockedValue { $0.outlivesProcess = newValue } }
    }

    /// While set, no repetition is counted.
    var repetitionFailure: StoreError? {
        get { state.withLockedValue { $0.repetitionFailure } }
        set { state.withLockedValue { $0.repetitionFailure = newValue } }
    }

    var queued: Int { state.withLockedValue { $0.queue.count } }
    var touches: [(id: SessionID, lastSeen: WallTime)] { state.withLockedValue { $0.touches } }

    /// The deadlines that were asked for.
    var prunes: [WallTime] { state.withLockedValue { $0.prunes } }

    func dropOldest(_ count: Int, of stream: StreamID, session: SessionID) {
        state.withLockedValue { state in
            guard let index = state.streams[session]?.firstIndex(where: { $0.record.stream == stream }) else { return }
            state.streams[session]?[index].events.removeFirst(count)
        }
    }

    func record(_ id: SessionID) -> SessionRecord? { state.withLockedValue { $0.sessions[id] } }

    func stream(_ id: StreamID, of session: SessionID) -> Stream? {
        state.withLockedValue { $0.streams[session]?.first { $0.record.stream == id } }
    }

    func allStreams(of session: SessionID) -> [Stream] { state.withLockedValue { $0.streams[session] ?? [] } }

    /// Performs what is queued, and what that queues; at most `limit` calls.
    func run(_ limit: Int = .max) {
        var left = limit
        while left > 0 {
            let next = state.withLockedValue { $0.queue.isEmpty ? nil : $0.queue.removeFirst() }
            guard let next else { return }
            next()
            left -= 1
        }
    }

    private func enqueue<Value: Sendable>(
        _ operation: String, _ completion: (@Sendable (Result<Value, StoreError>) -> Void)?,
        _ body: @escaping @Sendable (inout State) -> Value
    ) {
        state.withLockedValue { state in
            state.queue.append {
                let result = self.state.withLockedValue { state -> Result<Value, StoreError> in
                    if let failure = state.failure { return .failure(StoreError(operation: operation, reason: failure)) }
                    return .success(body(&state))
                }
                completion?(result)
            }
        }
    }

    // MARK: SessionStore

    func create(
        _ record: SessionRecord, limits: SessionLimits, completion: @escaping @Sendable (Result<SessionAdmission, StoreError>) -> Void
    ) {
        enqueue("create", completion) { state in
            if state.sessions.count >= limits.overall ?? .max { return .tooMany(.maxSessions) }
            let ofClient = state.sessions.values.count { $0.clientID == record.clientID }
            if ofClient >= limits.perClient ?? .max { return .tooMany(.maxSessionsPerClient) }
            state.sessions[record.id] = record
            state.order.append(record.id)
            return .created
        }
    }

    func load(_ id: SessionID, aliveSince: WallTime, completion: @escaping @Sendable (Result<SessionRecord?, StoreError>) -> Void) {
        enqueue("load", completion) { state in state.sessions[id].flatMap { $0.lastSeen >= aliveSince ? $0 : nil } }
    }

    func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) {
        enqueue("touch", nil as (@Sendable (Result<Void, StoreError>) -> Void)?) { state in
            for (id, lastSeen) in sessions {
                state.touches.append((id, lastSeen))
                if let old = state.sessions[id]?.lastSeen { state.sessions[id]?.lastSeen = max(old, lastSeen) }
            }
        }
    }

    func setAttribute(
        _ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, completion: (@Sendable (Result<Void, StoreError>) -> Void)?
    ) {
        enqueue("set an attribute", completion) { state in state.sessions[id]?.attributes[attribute] = value }
    }

    func delete(_ id: SessionID, completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        enqueue("delete", completion) { state in
            state.streams[id] = nil
            return state.sessions.removeValue(forKey: id) != nil
        }
    }

    func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime,
        completion: @escaping @Sendable (Result<SessionPage, StoreError>) -> Void
    ) {
        enqueue("list", completion) { state in
            let found = state.order.compactMap { state.sessions[$0] }.filter { $0.clientID == clientID && $0.lastSeen >= aliveSince }
            return SessionPage(
                sessions: found.map { SessionSummary(id: $0.id, clientID: clientID, createdAt: $0.createdAt, lastSeen: $0.lastSeen) },
                next: nil)
        }
    }

    func sessions(
        withAttributePrefix prefix: String, aliveSince: WallTime,
        completion: @escaping @Sendable (Result<[SessionRecord], StoreError>) -> Void
    ) {
        enqueue("list", completion) { state in
            state.order.compactMap { state.sessions[$0] }.filter { record in
                record.lastSeen >= aliveSince && record.attributes.keys.contains { $0.name.hasPrefix(prefix) }
            }
        }
    }

    func count(aliveSince: WallTime, completion: @escaping @Sendable (Result<Int, StoreError>) -> Void) {
        enqueue("count", completion) { state in state.sessions.values.count { $0.lastSeen >= aliveSince } }
    }

    func sweep(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping @Sendable (Result<[SessionID], StoreError>) -> Void) {
        enqueue("sweep", completion) { state in
            let expired = Array(state.sessions.values.filter { $0.lastSeen < deadline }.map(\.id).prefix(limit))
            for id in expired {
                state.sessions[id] = nil
                state.streams[id] = nil
            }
            return expired
        }
    }

    func flush() async { run() }

    // MARK: EventLog

    func open(_ stream: StreamRecord, completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        enqueue("open a stream", completion) { state in state.streams[stream.session, default: []].append(Stream(record: stream)) }
    }

    func append(
        _ event: StreamEvent, to stream: StreamID, of session: SessionID, ends: Bool,
        completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        enqueue("append", completion) { state in
            guard let index = state.streams[session]?.firstIndex(where: { $0.record.stream == stream }) else { return }
            state.streams[session]?[index].events.append(event)
            state.streams[session]?[index].record.lastSequence = event.sequence
            if ends { Self.markEnded(&state, session, index) }
        }
    }

    func setRepetitions(
        of stream: StreamID, in session: SessionID, to count: Int, completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        if let failure = repetitionFailure { return state.withLockedValue { $0.queue.append { completion(.failure(failure)) } } }
        enqueue("count a repetition", completion) { state in
            guard let index = state.streams[session]?.firstIndex(where: { $0.record.stream == stream }) else { return }
            state.streams[session]?[index].record.repetitions = count
        }
    }

    func end(_ stream: StreamID, of session: SessionID) {
        enqueue("end", nil as (@Sendable (Result<Void, StoreError>) -> Void)?) { state in
            guard let index = state.streams[session]?.firstIndex(where: { $0.record.stream == stream }) else { return }
            Self.markEnded(&state, session, index)
        }
    }

    private static func markEnded(_ state: inout State, _ session: SessionID, _ index: Int) {
        state.streams[session]?[index].record.hasEnded = true
        state.streams[session]?[index].record.repeatableRequests = nil
    }

    func read(
        _ stream: StreamID, of session: SessionID, after: UInt64, limit: Int,
        completion: @escaping @Sendable (Result<(record: StreamRecord, events: [StreamEvent])?, StoreError>) -> Void
    ) {
        enqueue("read", completion) { state in
            guard let found = state.streams[session]?.first(where: { $0.record.stream == stream }) else { return nil }
            return (found.record, Array(found.events.filter { $0.sequence > after }.prefix(limit)))
        }
    }

    func streams(of session: SessionID, completion: @escaping @Sendable (Result<[StreamRecord], StoreError>) -> Void) {
        enqueue("list streams", completion) { state in (state.streams[session] ?? []).map(\.record) }
    }

    func prune(before deadline: WallTime, completion: @escaping @Sendable (Result<Int, StoreError>) -> Void) {
        enqueue("prune", completion) { state in
            state.prunes.append(deadline)
            return 0
        }
    }

    func barrier(_ completion: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.queue.append(completion) }
    }
}
