import GatewayCore
import MCPProtocol
import NIOCore

extension StoreTransaction {
    private static let columns = "id, client, revision, server, initialize_params, created_at, last_seen"

    func create(_ record: SessionRecord, limits: SessionLimits) throws -> SessionAdmission {
        if let limit = memory.sessions.limitReached(limits, client: record.clientID), try !exists(record.id) { return .tooMany(limit) }
        do {
            var insert = try statement("INSERT OR IGNORE INTO sessions (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?)")
            try insert.bind(record.id)
            try insert.bind(record.clientID)
            try insert.bind(record.revision.rawValue)
            try insert.bind(record.server)
            try insert.bind(record.initializeParams)
            try insert.bind(record.createdAt)
            try insert.bind(record.lastSeen)
            guard try insert.run() == 1 else {
                throw StoreError(operation: "create session \(record.id.shortened)", reason: "a session with that id exists")
            }
        }
        memory.sessions.added(client: record.clientID)
        for (attribute, value) in record.attributes { try write(attribute, of: record.id, value) }
        return .created
    }

    private func exists(_ id: SessionID) throws -> Bool {
        var find = try statement("SELECT 1 FROM sessions WHERE id = ?")
        try find.bind(id)
        return try find.step()
    }

    func load(_ id: SessionID, aliveSince: WallTime) throws -> SessionRecord? {
        var find = try statement("SELECT \(Self.columns) FROM sessions WHERE id = ?")
        try find.bind(id)
        guard try find.step() else { return nil }
        var session = try session(find)
        if let touched = memory.touches[id] { session.lastSeen = max(session.lastSeen, touched) }
        guard session.lastSeen >= aliveSince else { return nil }
        session.attributes = try attributes(of: id)
        return session
    }

    func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)]) {
        for session in sessions { memory.touches[session.id] = max(session.lastSeen, memory.touches[session.id] ?? session.lastSeen) }
    }

    /// Writes the touches of the transaction so far: before its commit, and before a statement that reads `last_seen` of many sessions.
    func writeTouches() throws {
        guard !memory.touches.isEmpty else { return }
        for (id, lastSeen) in memory.touches {
            // The condition spares the index a change that changes nothing.
            var update = try statement("UPDATE sessions SET last_seen = ?1 WHERE id = ?2 AND last_seen < ?1")
            try update.bind(lastSeen)
            try update.bind(id)
            try update.run()
        }
        memory.touches.removeAll(keepingCapacity: true)
    }

    func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?) throws {
        if let value {
            try write(attribute, of: id, value)
        } else {
            var remove = try statement("DELETE FROM attributes WHERE session = ? AND name = ?")
            try remove.bind(id)
            try remove.bind(attribute.name)
            try remove.run()
        }
    }

    func delete(_ id: SessionID) throws -> Bool {
        memory.touches[id] = nil
        do {
            var remove = try statement("DELETE FROM sessions WHERE id = ? RETURNING client")
            try remove.bind(id)
            guard try remove.step() else { return false }
            memory.sessions.removed(client: remove.text(0))
            while try remove.step() {}
        }
        var remove = try statement("DELETE FROM attributes WHERE session = ?")
        try remove.bind(id)
        try remove.run()
        try deleteStreams(of: id)
        return true
    }

    func sessions(ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime) throws -> SessionPage {
        try writeTouches()
        let start = position.map { ($0.createdAt, $0.lastID) }
        var select = try statement(
            """
            SELECT id, client, created_at, last_seen FROM sessions
            WHERE client = ? AND last_seen >= ? \(start == nil ? "" : "AND created_at >= ?3 AND (created_at > ?3 OR id > ?4)")
            ORDER BY created_at, id LIMIT \(start == nil ? "?3" : "?5")
            """)
        try select.bind(clientID)
        try select.bind(aliveSince)
        if let (createdAt, id) = start {
            try select.bind(createdAt)
            try select.bind(id)
        }
        // One more shows whether there are more.
        try select.bind(Int64(limit) + 1)
        var sessions: [SessionSummary] = []
        while try select.step() {
            sessions.append(
                SessionSummary(id: try select.sessionID(0), clientID: select.text(1), createdAt: select.time(2), lastSeen: select.time(3)))
        }
        guard sessions.count > limit, let last = sessions.prefix(limit).last else { return SessionPage(sessions: sessions, next: nil) }
        sessions.removeLast()
        return SessionPage(sessions: sessions, next: SessionPosition(after: last.id, createdAt: last.createdAt))
    }

    func sessions(withAttributePrefix prefix: String, aliveSince: WallTime) throws -> [SessionRecord] {
        try writeTouches()
        let end = Self.firstText(after: prefix)
        var select = try statement(
            """
            SELECT \(Self.columns) FROM sessions
            WHERE id IN (SELECT session FROM attributes WHERE name >= ? \(end == nil ? "" : "AND name < ?")) AND last_seen >= ?
            ORDER BY created_at, number
            """)
        try select.bind(prefix)
        if let end { try select.bind(end) }
        try select.bind(aliveSince)
        var sessions: [SessionRecord] = []
        while try select.step() {
            var session = try session(select)
            session.attributes = try attributes(of: session.id)
            sessions.append(session)
        }
        return sessions
    }

    func count(aliveSince: WallTime) throws -> Int {
        try writeTouches()
        var count = try statement("SELECT count(*) FROM sessions WHERE last_seen >= ?")
        try count.bind(aliveSince)
        return try count.step() ? Int(count.integer(0)) : 0
    }

    func sweep(lastSeenBefore deadline: WallTime, limit: Int) throws -> [SessionID] {
        try writeTouches()
        var ids: [SessionID] = []
        do {
            var select = try statement("SELECT id FROM sessions WHERE last_seen < ? ORDER BY last_seen LIMIT ?")
            try select.bind(deadline)
            try select.bind(Int64(max(0, limit)))
            while try select.step() { ids.append(try select.sessionID(0)) }
        }
        for id in ids { _ = try delete(id) }
        return ids
    }

    // MARK: Parts

    private func write(_ attribute: SessionAttribute, of id: SessionID, _ value: ByteBuffer) throws {
        var insert = try statement(
            """
            INSERT INTO attributes (session, name, value) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM sessions WHERE id = ?1)
            ON CONFLICT (session, name) DO UPDATE SET value = excluded.value
            """)
        try insert.bind(id)
        try insert.bind(attribute.name)
        try insert.bind(value)
        try insert.run()
    }

    private func attributes(of id: SessionID) throws -> [SessionAttribute: ByteBuffer] {
        var select = try statement("SELECT name, value FROM attributes WHERE session = ?")
        try select.bind(id)
        var attributes: [SessionAttribute: ByteBuffer] = [:]
        while try select.step() { attributes[SessionAttribute(name: select.text(0))] = select.buffer(1) }
        return attributes
    }

    private func session(_ row: borrowing SQLStatement) throws -> SessionRecord {
        let id = try row.sessionID(0)
        guard let revision = Revision(rawValue: row.text(2)) else {
            throw StoreError(
                operation: "load session \(id.shortened)", reason: "it speaks revision \(row.text(2)), which this version does not know")
        }
        return SessionRecord(
            id: id, clientID: row.text(1), revision: revision, server: row.isNull(3) ? nil : row.text(3), initializeParams: row.buffer(4),
            createdAt: row.time(5), lastSeen: row.time(6))
    }

    /// The first text in SQLite's order (that of Unicode scalars) that is greater than all texts with the prefix; nil if there is none.
    static func firstText(after prefix: String) -> String? {
        var scalars = Array(prefix.unicodeScalars)
        while let last = scalars.popLast() {
            // The scalar after U+D7FF is U+E000: surrogates are no scalars.
            guard last.value < 0x10FFFF, let next = Unicode.Scalar(last.value == 0xD7FF ? 0xE000 : last.value + 1) else { continue }
            scalars.append(next)
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            return String(text)
        }
        return nil
    }
}
