import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// The sessions that are in memory, and the list of those whose `lastSeen` the store does not know yet.
struct SessionRegistry: Sendable {
    private struct State {
        var sessions: [SessionID: Session] = [:]
        var touched: [Session] = []
    }

    private let state = NIOLockedValueBox(State())

    subscript(id: SessionID) -> Session? { state.withLockedValue { $0.sessions[id] } }

    var all: [Session] { state.withLockedValue { Array($0.sessions.values) } }

    var count: Int { state.withLockedValue { $0.sessions.count } }

    /// Adds a session, or returns the one that was added meanwhile.
    func insert(_ session: Session) -> Session {
        state.withLockedValue { state in
            if let existing = state.sessions[session.id] { return existing }
            state.sessions[session.id] = session
            return session
        }
    }

    @discardableResult
    func remove(_ id: SessionID) -> Session? { state.withLockedValue { $0.sessions.removeValue(forKey: id) } }

    /// The client was heard of.
    func touch(_ session: Session, now: WallTime) {
        let isFirst = session.state.withLockedValue { state in
            state.lastSeen = max(state.lastSeen, now)
            defer { state.isTouched = true }
            return !state.isTouched
        }
        if isFirst { state.withLockedValue { $0.touched.append(session) } }
    }

    /// What the store must be told, once.
    func takeTouched() -> [(id: SessionID, lastSeen: WallTime)] {
        let touched = state.withLockedValue { state in
            defer { state.touched.removeAll(keepingCapacity: true) }
            return state.touched
        }
        return touched.map { session in
            session.state.withLockedValue { state in
                state.isTouched = false
                return (session.id, state.lastSeen)
            }
        }
    }

    /// Removes sessions that were not used since `deadline` and hold nothing that only memory has, and tells which.
    func evictIdle(since deadline: WallTime) -> [Session] {
        let idle = all.filter { session in
            session.state.withLockedValue { state in
                state.lastSeen < deadline && !state.isTouched && state.exchangeCount == 0 && state.subscriptions.isEmpty
                    && state.peers.isEmpty
                    && state.inputs.isEmpty && state.streams.isEmpty && state.unsolicited == nil && state.feed?.isConnected != true
                    && state.pendingListChanges.isEmpty
                    && !state.listening.contains { $0.isConnected || $0.hasUndelivered }
            }
        }
        for session in idle { remove(session.id) }
        return idle
    }
}
