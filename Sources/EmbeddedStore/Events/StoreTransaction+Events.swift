import GRDB
import GatewayCore
import NIOCore

extension StoreTransaction {
    private static let columns = """
        kind, request_ids, created_at, ended,
        coalesce((SELECT max(sequence) FROM events WHERE events.stream = streams.number), 0), number, stream, repeatable_requests, repetitions
        """

    func open(_ record: StreamRecord) throws {
        var insert = try statement(
            """
            INSERT OR IGNORE INTO streams (session, stream, kind, request_ids, created_at, ended, repeatable_requests)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """)
        try insert.bind(record.session)
        try insert.bind(record.stream.value)
        try insert.bind(record.kind.rawValue)
        try insert.bind(record.requestIDs)
        try insert.bind(record.createdAt)
        try insert.bind(record.hasEnded ? 1 : 0)
        try insert.bind(record.hasEnded ? nil : record.repeatableRequests)
        guard try insert.run() == 1 else {
            throw StoreError(operation: "open stream \(record.stream)", reason: "the session has a stream of that name already")
        }
        guard !record.hasEnded else { return }
        memory.streams.update(
            StreamKey(session: record.session, stream: record.stream),
            StreamState(number: database.lastInsertedRowID, hasEnded: false, first: 0, last: 0, count: 0, bytes: 0, hasAge: false))
    }

    func append(_ event: StreamEvent, to key: StreamKey, ends: Bool) throws {
        func refusal(_ reason: String) -> StoreError { StoreError(operation: "append to stream \(key.stream)", reason: reason) }
        guard var state = try state(of: key) else { throw refusal("the session has no such stream") }
        guard !state.hasEnded else { throw refusal("the stream has ended") }
        // A repetition would be an event that clients get twice. A gap is where an append failed.
        guard let sequence = Int64(exactly: event.sequence), sequence > state.last else {
            throw refusal("event \(event.sequence) does not follow event \(state.last)")
        }
        let bytes = event.message.readableBytes
        guard bytes <= memory.limits.largestEvent else {
            throw refusal("the message has \(bytes) bytes, more than the limit of \(memory.limits.largestEvent)")
        }

        do {
            var insert = try statement("INSERT INTO events (stream, sequence, message, appended_at) VALUES (?, ?, ?, ?)")
            try insert.bind(state.number)
            try insert.bind(sequence)
            try insert.bind(event.message)
            try insert.bind(memory.now)
            try insert.run()
        }
        if !state.hasAge { try setAge(&state, memory.now) }
        if state.count == 0 { state.first = sequence }
        state.last = sequence
        state.count += 1
        state.bytes += bytes
        if state.count > memory.limits.maxEventsPerStream {
            LimitHits.count(.maxEventsPerStream)
            try drop(&state)
        } else if state.bytes > memory.limits.maxBytesPerStream {
            LimitHits.count(.maxBytesPerStream)
            try drop(&state)
        }
        if ends {
            try markEnded(key, state)
        } else {
            memory.streams.update(key, state)
        }
    }

    func setRepetitions(of key: StreamKey, to count: Int) throws {
        var update = try statement("UPDATE streams SET repetitions = ? WHERE session = ? AND stream = ? AND ended = 0")
        try update.bind(Int64(count))
        try update.bind(key.session)
        try update.bind(key.stream.value)
        guard try update.run() == 1 else {
            throw StoreError(
                operation: "count a repetition of stream \(key.stream)", reason: "the session has no such stream, or it has ended")
        }
    }

    func end(_ key: StreamKey) throws {
        guard let state = try state(of: key), !state.hasEnded else { return }
        try markEnded(key, state)
    }

    func read(_ key: StreamKey, after: UInt64, limit: Int) throws -> (record: StreamRecord, events: [StreamEvent])? {
        var find = try statement("SELECT \(Self.columns) FROM streams WHERE session = ? AND stream = ?")
        try find.bind(key.session)
        try find.bind(key.stream.value)
        guard try find.step() else { return nil }
        let record = record(find, session: key.session)
        let number = find.integer(5)

        var events: [StreamEvent] = []
        guard after < record.lastSequence, limit > 0 else { return (record, []) }
        var select = try statement("SELECT sequence, message FROM events WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?")
        try select.bind(number)
        try select.bind(Int64(clamping: after))
        try select.bind(Int64(limit))
        while try select.step() { events.append(StreamEvent(sequence: UInt64(clamping: select.integer(0)), message: select.buffer(1))) }
        return (record, events)
    }

    func streams(of session: SessionID) throws -> [StreamRecord] {
        var select = try statement("SELECT \(Self.columns) FROM streams WHERE session = ? ORDER BY created_at, number")
        try select.bind(session)
        var records: [StreamRecord] = []
        while try select.step() { records.append(record(select, session: session)) }
        return records
    }

    // MARK: Parts

    private func markEnded(_ key: StreamKey, _ state: StreamState) throws {
        var update = try statement("UPDATE streams SET ended = 1, repeatable_requests = NULL WHERE number = ?")
        try update.bind(state.number)
        try update.run()
        memory.streams.remove(key)
    }

    /// Drops the oldest events until the stream keeps its bounds, never the newest.
    private func drop(_ state: inout StreamState) throws {
        var kept = state.first
        do {
            var select = try statement("SELECT sequence, length(message) FROM events WHERE stream = ? ORDER BY sequence")
            try select.bind(state.number)
            while state.count > 1, state.count > memory.limits.maxEventsPerStream || state.bytes > memory.limits.maxBytesPerStream,
                try select.step()
            {
                state.count -= 1
                state.bytes -= Int(select.integer(1))
                memory.droppedEvents += 1
                kept = select.integer(0) + 1
            }
        }
        var remove = try statement("DELETE FROM events WHERE stream = ? AND sequence < ?")
        try remove.bind(state.number)
        try remove.bind(kept)
        try remove.run()
        state.first = kept
    }

    func state(of key: StreamKey) throws -> StreamState? {
        if let state = memory.streams.state(of: key) { return state }
        var find = try statement(
            """
            SELECT number, ended, count(sequence), coalesce(min(sequence), 0), coalesce(max(sequence), 0),
                coalesce(sum(length(message)), 0), oldest_at
            FROM streams LEFT JOIN events ON events.stream = streams.number
            WHERE streams.session = ? AND streams.stream = ? GROUP BY number
            """)
        try find.bind(key.session)
        try find.bind(key.stream.value)
        guard try find.step() else { return nil }
        return StreamState(
            number: find.integer(0), hasEnded: find.integer(1) != 0, first: find.integer(3), last: find.integer(4),
            count: Int(find.integer(2)), bytes: Int(find.integer(5)), hasAge: !find.isNull(6))
    }

    private func record(_ row: borrowing SQLStatement, session: SessionID) -> StreamRecord {
        StreamRecord(
            session: session, stream: StreamID(row.text(6)), kind: StreamRecord.Kind(rawValue: row.text(0)) ?? .exchange,
            requestIDs: row.isNull(1) ? nil : row.buffer(1), repeatableRequests: row.isNull(7) ? nil : row.buffer(7),
            repetitions: Int(row.integer(8)), createdAt: row.time(2), hasEnded: row.integer(3) != 0,
            lastSequence: UInt64(clamping: row.integer(4)))
    }
}
