import GatewayCore
import NIOConcurrencyHelpers
import NIOCore

/// A session that is at home here, as it ought to be in Redis.
struct HeldSession: Sendable {
    /// How much of it Redis has.
    enum Phase: Sendable { case creating, backlog, stored }

    var record: SessionRecord
    var epoch: UInt64
    var phase: Phase
    /// Streams that have not ended, and those whose end is not in Redis.
    var streams: [StreamID: StreamRecord] = [:]
    /// Attributes that were removed, and when, until Redis and its replica have heard of it.
    var removed: [SessionAttribute: NIODeadline] = [:]
    /// Writes that were acknowledged while Redis was away.
    var backlogWrites = 0
    /// When it was changed last.
    var changedAt: NIODeadline

    /// Redis did not hear when it was seen last.
    var isUntouched = false
    /// It is being given back.
    var isReleasing = false

    var isDirty: Bool { phase == .backlog || backlogWrites > 0 || isUntouched }
}

/// What this instance remembers of the sessions that are at home here: enough to go on while Redis is away, and to write them again when it
/// came back without them.
final class SessionMemory: Sendable {
    struct State {
        var held: [SessionID: HeldSession] = [:]
        /// Sessions made while Redis was away.
        var backlogSessions = 0
        /// Deletions that Redis has not heard of, with the epoch of the session.
        var deletions: [SessionID: UInt64] = [:]
        /// Deletions that Redis has heard of, but perhaps not its replica; with the epoch of the session.
        var recentDeletions: [SessionID: (epoch: UInt64, at: NIODeadline)] = [:]
        /// Deletions of sessions of here that are under way.
        var deleting: [SessionID: EventLoopPromise<Result<Bool, StoreError>>] = [:]
        /// Tasks that run here and until when they are remembered.
        var tasks: [String: (end: NIODeadline, isStored: Bool)] = [:]
        var attributeWrites = 0
        var unstoredTasks = 0

        var backlogWrites: Int { attributeWrites + deletions.count + unstoredTasks }
    }

    let state = NIOLockedValueBox(State())
    private let maxSessions: Int
    private let maxWrites: Int
    private let maxDeletions: Int

    init(maxSessions: Int, maxWrites: Int, maxDeletions: Int) {
        self.maxSessions = maxSessions
        self.maxWrites = maxWrites
        self.maxDeletions = maxDeletions
    }

    subscript(id: SessionID) -> HeldSession? { state.withLockedValue { $0.held[id] } }

    func epoch(of id: SessionID) -> UInt64? { state.withLockedValue { $0.held[id]?.epoch } }

    /// A session that is about to be made; false when there is one of that id.
    func add(_ record: SessionRecord, now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            guard state.held[record.id] == nil else { return false }
            state.deletions[record.id] = nil
            state.recentDeletions[record.id] = nil
            state.held[record.id] = HeldSession(record: record, epoch: 1, phase: .creating, changedAt: now)
            return true
        }
    }

    /// The session is in Redis as it was made.
    func created(_ id: SessionID) {
        state.withLockedValue { $0.held[id]?.phase = .stored }
    }

    /// Keeps a session that could not be written; false when there are too many.
    func keep(_ id: SessionID) -> Bool {
        state.withLockedValue { state in
            guard state.held[id] != nil, state.backlogSessions < maxSessions else { return false }
            state.held[id]?.phase = .backlog
            state.backlogSessions += 1
            return true
        }
    }

    /// A session that was claimed.
    ///
    /// - Returns: what is known of it, and whether it was here before under that epoch.
    func claimed(_ record: SessionRecord, epoch: UInt64, now: NIODeadline) -> (record: SessionRecord, wasMine: Bool) {
        state.withLockedValue { state in
            if let held = state.held[record.id], held.epoch == epoch {
                // What was written while Redis was away, or is on its way, is newer.
                return (held.record, true)
            }
            state.remove(record.id)
            state.held[record.id] = HeldSession(record: record, epoch: epoch, phase: .stored, changedAt: now)
            return (record, false)
        }
    }

    /// The epochs of those that are at home here, which are being given back from now on, or are not after all.
    func setReleasing(_ ids: [SessionID], _ isReleasing: Bool) -> [(id: SessionID, epoch: UInt64)] {
        state.withLockedValue { state in
            ids.compactMap { id in
                state.held[id]?.isReleasing = isReleasing
                return state.held[id].map { (id, $0.epoch) }
            }
        }
    }

    func isReleasing(_ id: SessionID) -> Bool { state.withLockedValue { $0.held[id]?.isReleasing == true } }

    func forget(_ id: SessionID) -> HeldSession? { state.withLockedValue { $0.remove(id) } }

    func forget(seenBefore deadline: WallTime) {
        state.withLockedValue { state in
            for (id, held) in state.held where held.record.lastSeen < deadline && held.phase == .stored { state.remove(id) }
        }
    }

    func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) {
        state.withLockedValue { state in
            for session in sessions {
                guard let known = state.held[session.id]?.record.lastSeen, known < session.lastSeen else { continue }
                state.held[session.id]?.record.lastSeen = session.lastSeen
            }
        }
    }

    func notTouched(_ ids: some Sequence<SessionID>) {
        state.withLockedValue { state in
            for id in ids { state.held[id]?.isUntouched = true }
        }
    }

    /// Redis has the session as it was when `snapshot` was taken.
    func stored(_ snapshot: HeldSession) {
        let id = snapshot.record.id
        state.withLockedValue { state in
            guard var held = state.held[id], held.epoch == snapshot.epoch else { return }
            if held.phase == .backlog {
                state.backlogSessions -= 1
                held.phase = .stored
            }
            if held.record.lastSeen == snapshot.record.lastSeen { held.isUntouched = false }
            held.backlogWrites -= snapshot.backlogWrites
            state.attributeWrites -= snapshot.backlogWrites
            for (attribute, at) in snapshot.removed where held.removed[attribute] == at { held.removed[attribute] = nil }
            for (name, stream) in snapshot.streams where stream.hasEnded { held.streams[name] = nil }
            state.held[id] = held
        }
    }

    // MARK: Attributes

    /// Longer than any replica takes to hear of a removal.
    private static let removalMemory = TimeAmount.seconds(60)

    func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, now: NIODeadline) {
        state.withLockedValue { state in
            guard state.held[id] != nil else { return }
            // Its own memory: a slice would keep the whole request's alive.
            state.held[id]?.record.attributes[attribute] = value.map { ByteBuffer(bytes: $0.readableBytesView) }
            state.held[id]?.changedAt = now
            if value == nil {
                let remembered = (state.held[id]?.removed ?? [:]).filter { now - $0.value < Self.removalMemory }
                state.held[id]?.removed = remembered
                state.held[id]?.removed[attribute] = now
            } else {
                state.held[id]?.removed[attribute] = nil
            }
        }
    }

    /// The newest value of an attribute; nil when the session is not here.
    func attribute(_ attribute: SessionAttribute, of id: SessionID) -> ByteBuffer?? {
        state.withLockedValue { state in state.held[id].map { $0.record.attributes[attribute] } }
    }

    /// Counts a write that was acknowledged from memory; false when there are too many, or the session is not here.
    func keepWrite(of id: SessionID) -> Bool {
        state.withLockedValue { state in
            guard state.held[id] != nil, state.backlogWrites < maxWrites else { return false }
            state.held[id]?.backlogWrites += 1
            state.attributeWrites += 1
            return true
        }
    }

    func keepDeletion(_ id: SessionID, epoch: UInt64) -> Bool {
        state.withLockedValue { state in
            guard state.backlogWrites < maxWrites else { return false }
            state.deletions[id] = epoch
            return true
        }
    }

    enum Deletion {
        /// With what was known of the session; nil when it was not at home here. Ends with `endDeletion`.
        case begun(HeldSession?)
        /// The same session is being deleted for somebody else. `outcome` succeeds on `eventLoop` with what that came to.
        case underWay(outcome: EventLoopFuture<Result<Bool, StoreError>>)
    }

    /// Forgets a session that is to be deleted: from here on nobody writes it again. While the deletion of one that was at home here is under
    /// way another one of the same session could not prove any more that it may.
    func beginDeletion(_ id: SessionID, on eventLoop: any EventLoop) -> Deletion {
        state.withLockedValue { state in
            if let held = state.remove(id) {
                state.deleting[id] = state.deleting[id] ?? eventLoop.makePromise()
                return .begun(held)
            }
            return state.deleting[id].map { .underWay(outcome: $0.futureResult) } ?? .begun(nil)
        }
    }

    /// - Parameter held: what was known of the session, where that could not be deleted.
    func endDeletion(_ id: SessionID, _ outcome: Result<Bool, StoreError>, puttingBack held: HeldSession?) {
        let waiters = state.withLockedValue { state in
            if let held, state.held[id] == nil {
                state.held[id] = held
                if held.phase == .backlog { state.backlogSessions += 1 }
                state.attributeWrites += held.backlogWrites
            }
            return state.deleting.removeValue(forKey: id)
        }
        waiters?.succeed(outcome)
    }

    /// Redis has deleted the session.
    func deleted(_ id: SessionID, epoch: UInt64, now: NIODeadline) {
        state.withLockedValue { state in
            guard state.recentDeletions.count < maxDeletions, state.held[id] == nil else { return }
            state.recentDeletions[id] = (epoch, now)
        }
    }

    /// Whether the session was deleted here, and Redis has not heard of it, or has just now.
    func wasDeleted(_ id: SessionID) -> Bool {
        state.withLockedValue { $0.deletions[id] != nil || $0.recentDeletions[id] != nil }
    }

    func forgetDeletions(before deadline: NIODeadline) {
        state.withLockedValue { state in
            guard state.recentDeletions.contains(where: { $0.value.at < deadline }) else { return }
            state.recentDeletions = state.recentDeletions.filter { $0.value.at >= deadline }
        }
    }

    /// Remembers a task that runs here; false when there are too many.
    func keepTask(_ key: String, until end: NIODeadline, now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            if state.tasks.count >= maxWrites {
                state.tasks = state.tasks.filter { $0.value.end > now }
                state.unstoredTasks = state.tasks.values.reduce(0) { $0 + ($1.isStored ? 0 : 1) }
                guard state.tasks.count < maxWrites else { return false }
            }
            if state.tasks[key]?.isStored != false { state.unstoredTasks += 1 }
            state.tasks[key] = (end, false)
            return true
        }
    }

    /// Redis knows the task.
    func taskStored(_ key: String, until end: NIODeadline) {
        state.withLockedValue { state in
            guard let task = state.tasks[key], task.end == end, !task.isStored else { return }
            state.tasks[key]?.isStored = true
            state.unstoredTasks -= 1
        }
    }

    func forgetTask(_ key: String) {
        state.withLockedValue { state in
            if state.tasks.removeValue(forKey: key)?.isStored == false { state.unstoredTasks -= 1 }
        }
    }

    // MARK: Streams

    func opened(_ stream: StreamRecord) {
        state.withLockedValue { $0.held[stream.session]?.streams[stream.stream] = stream.hasEnded ? nil : stream }
    }

    /// Streams that are known from Redis.
    func found(_ streams: [StreamRecord], of id: SessionID) {
        state.withLockedValue { state in
            guard state.held[id] != nil else { return }
            for stream in streams where !stream.hasEnded {
                if let known = state.held[id]?.streams[stream.stream] {
                    guard known.lastSequence < stream.lastSequence, !known.hasEnded else { continue }
                }
                state.held[id]?.streams[stream.stream] = stream
            }
        }
    }

    func notOpened(_ key: StreamKey) { state.withLockedValue { $0.held[key.session]?.streams[key.stream] = nil } }

    /// The newest event of a stream that Redis acknowledged; 0 when it is not known.
    func lastSequence(_ key: StreamKey) -> UInt64 {
        state.withLockedValue { $0.held[key.session]?.streams[key.stream]?.lastSequence ?? 0 }
    }

    /// Redis has an event.
    /// - Returns: the stream as it was before; nil when it is not known.
    func appended(_ sequence: UInt64, to key: StreamKey, ends: Bool) -> StreamRecord? {
        state.withLockedValue { state in
            guard let known = state.held[key.session]?.streams[key.stream], known.lastSequence < sequence else { return nil }
            if ends {
                state.held[key.session]?.streams[key.stream] = nil
            } else {
                state.held[key.session]?.streams[key.stream]?.lastSequence = sequence
            }
            return known
        }
    }

    /// Redis knows how often the requests of a stream were worked on again, but perhaps not its replica.
    func repeated(_ key: StreamKey, _ count: Int, now: NIODeadline) {
        state.withLockedValue { state in
            state.held[key.session]?.streams[key.stream]?.repetitions = count
            state.held[key.session]?.changedAt = now
        }
    }

    func ends(_ key: StreamKey) { state.withLockedValue { $0.held[key.session]?.streams[key.stream]?.hasEnded = true } }

    func ended(_ key: StreamKey) { notOpened(key) }
}

extension SessionMemory.State {
    @discardableResult
    mutating func remove(_ id: SessionID) -> HeldSession? {
        guard let held = held.removeValue(forKey: id) else { return nil }
        if held.phase == .backlog { backlogSessions -= 1 }
        attributeWrites -= held.backlogWrites
        return held
    }
}
