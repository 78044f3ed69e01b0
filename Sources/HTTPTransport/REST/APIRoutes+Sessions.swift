import GatewayCore
import HTTPTypes
import Hummingbird
import MCPProtocol
import NIOCore

/// `/api/session…`
extension APIRoutes {
    /// Characters of a `clientId`.
    private static let maxClientID = 255
    /// The greatest `limit` of a list: what `pageSize` may be.
    private static let maxPageSize = 10_000

    func createSession(_ request: Request) async throws -> Response {
        let json = try await object(request)
        guard let clientID = json.string(json.member("clientId", of: json.root)), !clientID.isEmpty else {
            throw invalid("\"clientId\" must be a string that is not empty")
        }
        guard clientID.unicodeScalars.count <= Self.maxClientID else {
            throw invalid("\"clientId\" has more than \(Self.maxClientID) characters")
        }
        let session = try await create(clientID: clientID, metadata: try metadata(in: json))
        var body = ByteBuffer(string: "{")
        writeIdentity(of: session, to: &body)
        body.writeStaticString("}")
        return Self.json(body)
    }

    private func metadata(in json: JSONText) throws -> ByteBuffer {
        let span = json.member("metadata", of: json.root)
        guard let metadata = json.slice(span) else { return ByteBuffer(string: "{}") }
        guard json.isObject(span) else { throw invalid("\"metadata\" must be an object") }
        guard metadata.readableBytes <= settings.maxMetadataBytes else {
            LimitHits.count(.maxMetadataBytes)
            throw APIError(
                status: .contentTooLarge, code: "too_large",
                message: "\"metadata\" is larger than \(settings.maxMetadataBytes) bytes (api.maxMetadataBytes)")
        }
        // A copy: the slice would keep the whole body's memory alive.
        return ByteBuffer(bytes: metadata.readableBytesView)
    }

    private func create(clientID: String, metadata: ByteBuffer) async throws -> Session {
        try await withCheckedThrowingContinuation { continuation in
            gateway.createSession(clientID: clientID, metadata: metadata) { result in
                continuation.resume(with: result.mapError { APIError(Refusal($0)) })
            }
        }
    }

    func validateSession(_ request: Request) async throws -> Response {
        let session = try await session(of: request)
        var body = ByteBuffer(string: "{\"valid\":true,")
        writeIdentity(of: session, to: &body)
        body.writeStaticString(",\"metadata\":")
        body.writeImmutableBuffer(session.metadata ?? ByteBuffer(string: "{}"))
        body.writeStaticString("}")
        return Self.json(body)
    }

    func deleteSession(_ request: Request) async throws -> Response {
        // As on the MCP endpoint: who ends a session asks for less, so no rate is in its way.
        let session = try await existingSession(of: request)
        _ = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Bool, any Error>) in
            gateway.endSession(session) { result in continuation.resume(with: result.mapError(Self.unavailable)) }
        }
        return Response(status: .noContent)
    }

    func makeTicket(_ request: Request) async throws -> Response {
        let session = try await session(of: request)
        let (ticket, expiresAt) = try gateway.makeTicket(for: session, lifetime: settings.ticketLifetime)
        return Self.json(ByteBuffer(string: "{\"ticket\":\"\(ticket)\",\"expiresAt\":\"\(expiresAt.rfc3339)\"}"))
    }

    /// A page of the sessions of a client. Their ids are credentials, and a client id is none: only their beginnings are shown.
    func listSessions(_ request: Request) async throws -> Response {
        let target = RequestTarget(request.uri.string)
        guard let clientID = target?.parameter("clientId"), !clientID.isEmpty else {
            throw invalid("the query parameter \"clientId\" is missing")
        }
        let limit = try target?.parameter("limit").map { text in
            guard let number = Int(text), (1...Self.maxPageSize).contains(number), text.utf8.first != UInt8(ascii: "+") else {
                throw invalid("the query parameter \"limit\" must be a number from 1 to \(Self.maxPageSize)")
            }
            return number
        }
        let position = try target?.parameter("cursor").map { text in
            guard let position = SessionPosition(text) else {
                throw invalid("the query parameter \"cursor\" must be a \"nextCursor\" of an earlier page")
            }
            return position
        }
        let own = request.headers[.xSessionID].flatMap { SessionID($0) }
        let page = try await withCheckedThrowingContinuation { continuation in
            gateway.sessions(ofClient: clientID, after: position, limit: limit) { result in
                continuation.resume(with: result.mapError(Self.unavailable))
            }
        }
        let lifetime = gateway.settings.sessionTTL
        var body = ByteBuffer(string: "{\"sessions\":[")
        for (index, record) in page.sessions.enumerated() {
            body.writeString(
                index == 0 ? "{\"id\":\"\(record.id.shortened)\",\"clientId\":" : ",{\"id\":\"\(record.id.shortened)\",\"clientId\":")
            body.writeJSONString(record.clientID)
            body.writeString(
                ",\"createdAt\":\"\(record.createdAt.rfc3339)\",\"lastAccessed\":\"\(record.lastSeen.rfc3339)\",\"expiresAt\":\"\((record.lastSeen + lifetime).rfc3339)\",\"current\":\(record.id == own)}"
            )
        }
        body.writeString(page.next.map { "],\"nextCursor\":\"\($0)\"}" } ?? "]}")
        return Self.json(body)
    }

    private func writeIdentity(of session: Session, to body: inout ByteBuffer) {
        body.writeString("\"sessionId\":\"\(session.id)\",\"clientId\":")
        body.writeJSONString(session.clientID)
        body.writeString(",\"createdAt\":\"\(session.createdAt.rfc3339)\",\"expiresAt\":\"\(session.expiresAt.rfc3339)\"")
    }
}
