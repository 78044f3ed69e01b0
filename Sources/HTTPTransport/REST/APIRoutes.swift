import Foundation
import GatewayCore
import HTTPTypes
import Hummingbird
import MCPProtocol
import NIOCore

/// The REST API of the source document. Its sessions are sessions like any other; what it calls goes the way of every exchange.
struct APIRoutes: Sendable {
    let gateway: Gateway
    let settings: HTTPTransportSettings

    func add(to router: Router<BasicRequestContext>) {
        router.post("/api/session/create") { request, _ in try await createSession(request) }
        router.post("/api/session/validate") { request, _ in try await validateSession(request) }
        router.delete("/api/session") { request, _ in try await deleteSession(request) }
        router.post("/api/session/ticket") { request, _ in try await makeTicket(request) }
        router.get("/api/sessions") { request, _ in try await listSessions(request) }
        router.get("/api/mcp/tools") { request, _ in try await listTools(request) }
        router.post("/api/mcp/call") { request, _ in try await callTool(request) }
        router.get("/api/openapi.json") { _, _ in Self.json(OpenAPIDocument.bytes(version: gateway.settings.serverVersion)) }
    }

    // MARK: What the routes have in common

    static func json(_ body: ByteBuffer) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"], body: .init(byteBuffer: body))
    }

    /// The request's body as a JSON object.
    func object(_ request: Request) async throws -> JSONText {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().trimmingCharacters(in: .whitespaces)
        guard type == "application/json" else {
            throw APIError(
                status: .unsupportedMediaType, code: "unsupported_media_type", message: "Content-Type must be application/json")
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: settings.maxBodyBytes)
        } catch is NIOTooManyBytesError {
            throw APIError(.tooLarge(settings))
        } catch let error as HTTPError where error.status == .contentTooLarge {
            throw APIError(.tooLarge(settings))
        }
        let json: JSONText
        do throws(JSONScanError) {
            json = try JSONText(validating: body, maxDepth: settings.maxNestingDepth)
        } catch {
            throw APIError(
                status: .badRequest, code: "invalid_json", message: "the body is not valid JSON: \(error.explained(settings))")
        }
        guard json.isObject(json.root) else { throw invalid("the body must be a JSON object") }
        var keys = Set<String>()
        var repeated: String?
        json.forEachMember(of: json.root) { key, _ in
            let name = String(decoding: key, as: UTF8.self)
            guard keys.insert(name).inserted else {
                repeated = name
                return false
            }
            return true
        }
        if let repeated { throw invalid("the body has \"\(repeated.prefix(64))\" twice") }
        return json
    }

    func invalid(_ message: String) -> APIError { APIError(status: .badRequest, code: "invalid_request", message: message) }

    /// The session that `X-Session-ID` names, for a request that counts against the rates of the session and its client.
    func session(of request: Request) async throws -> Session {
        let session = try await existingSession(of: request)
        if let refusal = Refusal.tooFast(session, gateway) { throw APIError(refusal) }
        return session
    }

    /// The session that `X-Session-ID` names.
    func existingSession(of request: Request) async throws -> Session {
        guard let text = request.headers[.xSessionID] else {
            throw APIError(
                status: .unauthorized, code: "session_required",
                message: "X-Session-ID is missing; POST /api/session/create makes a session")
        }
        let found: Session? = try await withCheckedThrowingContinuation { continuation in
            guard let id = SessionID(text) else { return continuation.resume(returning: nil) }
            gateway.session(id) { result in continuation.resume(with: result.mapError(Self.unavailable)) }
        }
        guard let found else {
            throw APIError(
                status: .unauthorized, code: "invalid_session",
                message: "the session does not exist, has ended or has expired; POST /api/session/create makes a new one")
        }
        return found
    }

    @Sendable static func unavailable(_ error: StoreError) -> any Error {
        APIError(status: .serviceUnavailable, code: "unavailable", message: error.description, retryAfter: 1)
    }
}

extension WallTime {
    /// RFC 3339, UTC, with milliseconds.
    var rfc3339: String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
