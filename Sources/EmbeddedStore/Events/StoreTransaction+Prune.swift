import GatewayCore

/// Events and streams that are too old, and what deleted streams have left.
extension StoreTransaction {
    /// Deletes events appended before `deadline`; a stream that has ended goes with its last event, of one that goes on the newest event
    /// stays. Streams without events are deleted when they have ended, and those of a session that is gone in any case, once they were
    /// created before `deadline`.
    ///
    /// - Returns: how many streams it worked on; work is bounded, and 0 means that nothing is left to do.
    func prune(before deadline: WallTime) throws -> Int {
        var aged: [(number: Int64, key: StreamKey, hasEnded: Bool)] = []
        do {
            var select = try statement(
                "SELECT number, session, stream, ended FROM streams WHERE oldest_at < ? ORDER BY oldest_at LIMIT ?")
            try select.bind(deadline)
            try select.bind(Int64(memory.options.prunedStreamsPerCall))
            while try select.step() {
                let key = StreamKey(session: try select.sessionID(1), stream: StreamID(select.text(2)))
                aged.append((select.integer(0), key, select.integer(3) != 0))
            }
        }
        var worked = 0
        var budget = memory.options.prunedEventsPerCall
        for stream in aged where budget > 0 {
            budget -= try expire(stream.number, stream.key, hasEnded: stream.hasEnded, deadline)
            worked += 1
        }

        var empty: [(number: Int64, key: StreamKey)] = []
        do {
            var select = try statement(
                """
                SELECT number, session, stream FROM streams
                WHERE created_at < ? AND (ended AND oldest_at IS NULL OR NOT EXISTS (SELECT 1 FROM sessions WHERE id = streams.session))
                ORDER BY created_at LIMIT ?
                """)
            try select.bind(deadline)
            try select.bind(Int64(memory.options.prunedStreamsPerCall))
            while try select.step() {
                empty.append((select.integer(0), StreamKey(session: try select.sessionID(1), stream: StreamID(select.text(2)))))
            }
        }
        for stream in empty { try delete(stream.number, stream.key) }
        return worked + empty.count
    }

    /// Deletes the old events of one stream; tells how many it looked at.
    private func expire(_ number: Int64, _ key: StreamKey, hasEnded: Bool, _ deadline: WallTime) throws -> Int {
        if hasEnded, try newestEvent(number) ?? deadline < deadline {
            try delete(number, key)
            return 1
        }
        // The newest event is not looked at: the numbers of a stream that goes on must go on, and it tells them.
        var expired = 0
        var bytes = 0
        var oldest: (sequence: Int64, appendedAt: WallTime)?
        do {
            var select = try statement(
                """
                SELECT sequence, length(message), appended_at FROM events WHERE stream = ?1
                AND sequence < (SELECT max(sequence) FROM events WHERE stream = ?1) ORDER BY sequence
                """)
            try select.bind(number)
            while oldest == nil, try select.step() {
                if select.time(2) < deadline {
                    expired += 1
                    bytes += Int(select.integer(1))
                } else {
                    oldest = (select.integer(0), select.time(2))
                }
            }
        }
        var remove = try statement(
            """
            DELETE FROM events WHERE stream = ?1
            AND sequence < coalesce(?2, (SELECT max(sequence) FROM events WHERE stream = ?1))
            """)
        try remove.bind(number)
        if let oldest { try remove.bind(oldest.sequence) } else { try remove.bind(nil as String?) }
        try remove.run()

        let newest = try newestEvent(number)
        // Of what is left only the newest may be old: then there is nothing more to prune.
        let age = oldest?.appendedAt ?? newest.flatMap { $0 < deadline ? nil : $0 }
        if var state = memory.streams.state(of: key) {
            state.count -= expired
            state.bytes -= bytes
            state.first = oldest?.sequence ?? state.last
            try setAge(&state, age)
            memory.streams.update(key, state)
        } else {
            try writeAge(number, age)
        }
        return expired + 1
    }

    /// When the newest event of a stream was appended; nil when it has none.
    private func newestEvent(_ number: Int64) throws -> WallTime? {
        var select = try statement("SELECT appended_at FROM events WHERE stream = ? ORDER BY sequence DESC LIMIT 1")
        try select.bind(number)
        return try select.step() ? select.time(0) : nil
    }

    /// Sets `oldest_at` in the database and in the counters of the stream.
    func setAge(_ state: inout StreamState, _ oldest: WallTime?) throws {
        try writeAge(state.number, oldest)
        state.hasAge = oldest != nil
    }

    private func writeAge(_ number: Int64, _ oldest: WallTime?) throws {
        var update = try statement("UPDATE streams SET oldest_at = ? WHERE number = ?")
        if let oldest { try update.bind(oldest) } else { try update.bind(nil as String?) }
        try update.bind(number)
        try update.run()
    }

    /// Deletes all streams of a session. Their events are out of reach at once and are removed piece by piece.
    func deleteStreams(of session: SessionID) throws {
        var streams: [(number: Int64, key: StreamKey)] = []
        do {
            var select = try statement("SELECT number, stream FROM streams WHERE session = ?")
            try select.bind(session)
            while try select.step() {
                streams.append((select.integer(0), StreamKey(session: session, stream: StreamID(select.text(1)))))
            }
        }
        for stream in streams { try delete(stream.number, stream.key) }
    }

    /// Removes up to `reclaimedEventsPerBatch` events of deleted streams; true when there may be more.
    func reclaimEvents() throws -> Bool {
        var budget = Int64(memory.options.reclaimedEventsPerBatch)
        while budget > 0 {
            let number: Int64
            let oldest: Int64?
            do {
                let select = try statement(
                    """
                    SELECT stream, (SELECT min(sequence) FROM events WHERE events.stream = piece.stream)
                    FROM (SELECT stream FROM reclaim LIMIT 1) AS piece
                    """)
                guard try select.step() else { return false }
                number = select.integer(0)
                oldest = select.isNull(1) ? nil : select.integer(1)
            }
            if let oldest {
                var remove = try statement("DELETE FROM events WHERE stream = ? AND sequence < ?")
                try remove.bind(number)
                try remove.bind(oldest + budget)
                budget -= Int64(try remove.run())
                // What is left of the stream is seen at the next turn.
            }
            if oldest == nil {
                var remove = try statement("DELETE FROM reclaim WHERE stream = ?")
                try remove.bind(number)
                try remove.run()
                budget -= 1
            }
        }
        return true
    }

    /// Writes about as much as an event may need, and leaves it to `reclaimEvents`. No stream has the number 0.
    func probe() throws {
        let insert = try statement(
            "INSERT OR REPLACE INTO events (stream, sequence, message, appended_at) VALUES (0, 1, zeroblob(65536), 0)")
        try insert.run()
        let remember = try statement("INSERT OR IGNORE INTO reclaim (stream) VALUES (0)")
        try remember.run()
    }

    private func delete(_ number: Int64, _ key: StreamKey) throws {
        var remove = try statement("DELETE FROM streams WHERE number = ?")
        try remove.bind(number)
        try remove.run()
        var remember = try statement("INSERT OR IGNORE INTO reclaim (stream) VALUES (?)")
        try remember.bind(number)
        try remember.run()
        memory.streams.remove(key)
        memory.mayReclaim = true
    }
}
