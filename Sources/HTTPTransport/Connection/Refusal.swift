import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// A request that is refused: the status, the JSON-RPC error for the MCP endpoints and the code for the REST API.
struct Refusal: Error {
    let status: HTTPResponseStatus
    /// The `code` of the REST API's error.
    var code = "bad_request"
    let error: RPCError
    var headers: [(String, String)] = []

    /// - Parameter isRPC: whether it is worded as a JSON-RPC error, with this id; else as one of the REST API.
    func body(isRPC: Bool, id: ByteBuffer?) -> ByteBuffer {
        isRPC ? error.response(id: id) : APIError.body(code: code, message: error.message)
    }

    static let malformed = Refusal(
        status: .badRequest, code: "malformed_request", error: RPCError(code: .invalidRequest, message: "malformed HTTP request"))
    static let badTarget = Refusal(
        status: .badRequest, code: "malformed_request",
        error: RPCError(
            code: .invalidRequest, message: "the request target must be a path or an http URL, and a transfer coding must be \"chunked\""))
    static let headerTooLarge = Refusal(
        status: .requestHeaderFieldsTooLarge, code: "header_too_large",
        error: RPCError(code: .invalidRequest, message: "the header is larger than the limit (limits.maxHeaderBytes)"))
    static let notFound = Refusal(
        status: .notFound, code: "not_found",
        error: RPCError(code: .invalidRequest, message: "there is nothing at this path; MCP is served at /mcp"))
    static let unsupportedEncoding = Refusal(
        status: .unsupportedMediaType, code: "unsupported_media_type",
        error: RPCError(code: .invalidRequest, message: "Content-Encoding is not supported; send the body as it is"),
        headers: [("accept-encoding", "identity")])

    static let stopping = Refusal(
        status: .serviceUnavailable, code: "unavailable",
        error: RPCError(code: .internalError, message: "the gateway is shutting down; connect again"), headers: [("retry-after", "1")])

    static func unavailable(_ error: StoreError) -> Refusal {
        Refusal(
            status: .serviceUnavailable, code: "unavailable", error: RPCError(code: .internalError, message: error.description),
            headers: [("retry-after", "1")])
    }

    static func methodNotAllowed(_ methods: String) -> Refusal {
        Refusal(
            status: .methodNotAllowed, code: "method_not_allowed",
            error: RPCError(code: .invalidRequest, message: "Method not allowed; use \(methods)"), headers: [("allow", methods)])
    }

    /// The client claims to have seen an event that the stream does not have.
    static func beyondNewest(_ id: EventID) -> Refusal {
        Refusal(
            status: .badRequest, code: "invalid_request",
            error: RPCError(
                code: .invalidRequest, message: "Last-Event-ID \"\(id)\" is beyond the newest event of its stream; open a new stream"))
    }

    static func tooSlow(_ part: String, limit: String) -> Refusal {
        Refusal(
            status: .requestTimeout, code: "request_timeout",
            error: RPCError(code: .invalidRequest, message: "the \(part) of the request did not arrive in time (\(limit))"))
    }

    static func overloaded(limit: Int) -> Refusal {
        Refusal(
            status: .serviceUnavailable, code: "overloaded",
            error: RPCError(
                code: .internalError, message: "\(limit) requests are in progress (limits.maxConcurrentRequests); try again"),
            headers: [("retry-after", "1")])
    }
}
