import NIOConcurrencyHelpers

/// Which other instance a session was last seen at home at, so that most of its requests need no look-up. What is known may be old: whoever is asked
/// in vain says so, and it is forgotten.
final class KnownHomes: Sendable {
    private struct State {
        var homes: [SessionID: InstanceIdentity] = [:]
        /// What was known before; dropped as a whole when there is much that is newer.
        var older: [SessionID: InstanceIdentity] = [:]
    }

    private let capacity: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter capacity: sessions that are remembered, at most twice as many: as many as there may be (`sessions.maxSessions`). What is
    ///   forgotten costs a look-up.
    init(capacity: Int) { self.capacity = capacity }

    subscript(id: SessionID) -> InstanceIdentity? {
        state.withLockedValue { $0.homes[id] ?? $0.older[id] }
    }

    func remember(_ id: SessionID, at instance: InstanceIdentity) {
        state.withLockedValue { state in
            if state.homes.count >= capacity {
                state.older = state.homes
                state.homes.removeAll()
            }
            state.homes[id] = instance
        }
    }

    func forget(_ id: SessionID) {
        state.withLockedValue { state in
            state.homes.removeValue(forKey: id)
            state.older.removeValue(forKey: id)
        }
    }
}
