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
    /// Attributes that were removed, until Redis has heard of it.
    var removed: Set<SessionAttribute> = []
    /// Writes that were acknowledged while Redis was away.
    var backlogWrites = 0
    /// When it was changed last.
    var changedAt: NIODeadline

    /// Redis did not hear when it was seen last.
    var isUntouched = false

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
        /// Tasks that Redis has not heard of.
        var tasks: [String: NIODeadline] = [:]
        var attributeWrites = 0

        var backlogWrites: Int { attributeWrites + deletions.count + tasks.count }
    }

    let state = NIOLockedValueBox(State())
    private let maxSessions: Int
    private let maxWrites: Int

    init(maxSessions: Int, maxWrites: Int) {
        self.maxSessions = maxSessions
        self.maxWrites = maxWrites
    }

    subscript(id: SessionID) -> HeldSession? { state.withLockedValue { $0.held[id] } }

    func epoch(of id: SessionID) -> UInt64? { state.withLockedValue { $0.held[id]?.epoch } }

    /// A session that is about to be made; false when there is one of that id.
    func add(_ record: SessionRecord, now: NIODeadline) -> Bool {
        state.withLockedValue { state in
            guard state.held[record.id] == nil else { return false }
            state.deletions[record.id] = nil
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

    /// A session that could not be deleted.
    func putBack(_ held: HeldSession) {
        state.withLockedValue { state in
            guard state.held[held.record.id] == nil else { return }
            state.held[held.record.id] = held
            if held.phase == .backlog { state.backlogSessions += 1 }
            state.attributeWrites += held.backlogWrites
        }
    }

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
            for attribute in snapshot.removed where held.record.attributes[attribute] == nil { held.removed.remove(attribute) }
            for (name, stream) in snapshot.streams where stream.hasEnded { held.streams[name] = nil }
            state.held[id] = held
        }
    }

    // MARK: Attributes

    func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, now: NIODeadline) {
        state.withLockedValue { state in
            guard state.held[id] != nil else { return }
            state.held[id]?.record.attributes[attribute] = value
            state.held[id]?.changedAt = now
            if value == nil { state.held[id]?.removed.insert(attribute) } else { state.held[id]?.removed.remove(attribute) }
        }
    }

    /// The newest value of an attribute; nil when the session is not here.
    func attribute(_ attribute: SessionAttribute, of id: SessionID) -> ByteBuffer?? {
        state.withLockedValue { state in state.held[id].map { $0.record.attributes[attribute] } }
    }

    func removalStored(_ attribute: SessionAttribute, of id: SessionID) {
        state.withLockedValue { _ = $0.held[id]?.removed.remove(attribute) }
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

    func keepTask(_ key: String, until deadline: NIODeadline) -> Bool {
        state.withLockedValue { state in
            guard state.backlogWrites < maxWrites else { return false }
            state.tasks[key] = deadline
            return true
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

    func appended(_ sequence: UInt64, to key: StreamKey, ends: Bool) {
        state.withLockedValue { state in
            guard let last = state.held[key.session]?.streams[key.stream]?.lastSequence else { return }
            if ends {
                state.held[key.session]?.streams[key.stream] = nil
            } else if last < sequence {
                state.held[key.session]?.streams[key.stream]?.lastSequence = sequence
            }
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
