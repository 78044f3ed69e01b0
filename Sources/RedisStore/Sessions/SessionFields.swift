import GatewayCore
import MCPProtocol
import NIOCore
import RESP

/// A session as the fields of its hash.
enum SessionFields {
    /// The arguments of a script that writes a session (`Scripts.writing`).
    static func arguments(_ record: SessionRecord, home: InstanceIdentity, epoch: UInt64) -> [RedisArgument] {
        var arguments: [RedisArgument] = [
            .text(home.name), .text(String(home.incarnation)), .text(String(epoch)), .text(record.clientID),
            .text(record.revision.rawValue),
            .text(record.server ?? ""), .bytes(record.initializeParams), .integer(record.createdAt.milliseconds),
            .integer(record.lastSeen.milliseconds), .integer(record.attributes.count),
        ]
        for (attribute, value) in record.attributes {
            arguments.append(.text(attribute.name))
            arguments.append(.bytes(value))
        }
        return arguments
    }

    /// Reads the fields and values of a hash; nil when there is no such session (no fields).
    static func session(_ id: SessionID, _ reply: RESPValue, operation: String) throws(StoreError) -> SessionRecord? {
        guard let entries = reply.entries else { throw StoreError(operation: operation, reason: "Redis answered with \(reply.kind)") }
        guard !entries.isEmpty else { return nil }
        var client: String?
        var revision: String?
        var server: String?
        var params = ByteBuffer()
        var created: Int64?
        var seen: Int64?
        var attributes: [SessionAttribute: ByteBuffer] = [:]
        for entry in entries {
            guard let field = entry.key.text else { continue }
            switch field {
            case "client": client = entry.value.text
            case "revision": revision = entry.value.text
            case "server": server = entry.value.text.flatMap { $0.isEmpty ? nil : $0 }
            case "init": params = copy(entry.value)
            case "created": created = entry.value.int
            case "seen": seen = entry.value.int
            default:
                if field.hasPrefix("a:") { attributes[SessionAttribute(name: String(field.dropFirst(2)))] = copy(entry.value) }
            }
        }
        guard let client, let created, let seen, let text = revision else {
            throw StoreError(operation: operation, reason: "session \(id.shortened) lacks fields")
        }
        guard let revision = Revision(rawValue: text) else {
            throw StoreError(
                operation: operation, reason: "session \(id.shortened) speaks revision \(text), which this version does not know")
        }
        return SessionRecord(
            id: id, clientID: client, revision: revision, server: server, initializeParams: params,
            createdAt: WallTime(milliseconds: created), lastSeen: WallTime(milliseconds: seen), attributes: attributes)
    }

    /// Reads a page of the sessions of a client: where it goes on (created and id, or nothing), then id, created and seen of each.
    static func page(_ reply: RESPValue, ofClient clientID: String) -> SessionPage {
        let parts = reply.elements ?? []
        var next: SessionPosition?
        if let last = parts.first?.elements, last.count == 2, let created = last[0].int, let id = last[1].text.flatMap({ SessionID($0) }) {
            next = SessionPosition(after: id, createdAt: WallTime(milliseconds: created))
        }
        let sessions = parts.dropFirst().compactMap { element -> SessionSummary? in
            guard let fields = element.elements, fields.count == 3, let id = fields[0].text.flatMap({ SessionID($0) }),
                let created = fields[1].int, let seen = fields[2].int
            else { return nil }
            return SessionSummary(
                id: id, clientID: clientID, createdAt: WallTime(milliseconds: created), lastSeen: WallTime(milliseconds: seen))
        }
        return SessionPage(sessions: sessions, next: next)
    }

    /// Its own memory: what was read from the socket is one large buffer.
    static func copy(_ value: RESPValue) -> ByteBuffer { value.bytes.map { ByteBuffer(bytes: $0.readableBytesView) } ?? ByteBuffer() }
}
