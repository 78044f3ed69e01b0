import Hummingbird
import MCPProtocol
import NIOCore
import NIOHTTP1

/// An error of the REST API: `{"error":{"code":…,"message":…}}`.
struct APIError: HTTPResponseError {
    let status: HTTPResponse.Status
    /// For programs; lower case with underscores.
    let code: String
    /// For people: what happened, which value was wrong, what to do next.
    let message: String
    /// Seconds after which trying again makes sense.
    var retryAfter: Int?

    init(status: HTTPResponse.Status, code: String, message: String, retryAfter: Int? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    /// The same refusal as on the other routes.
    init(_ refusal: Refusal) {
        self.init(
            status: .init(code: Int(refusal.status.code)), code: refusal.code, message: refusal.error.message,
            retryAfter: refusal.headers.first { $0.0 == "retry-after" }.flatMap { Int($0.1) })
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        return Response(status: status, headers: headers, body: .init(byteBuffer: Self.body(code: code, message: message)))
    }

    static func body(code: String, message: String) -> ByteBuffer {
        var buffer = ByteBuffer(string: "{\"error\":{\"code\":")
        buffer.writeJSONString(code)
        buffer.writeStaticString(",\"message\":")
        buffer.writeJSONString(message)
        buffer.writeStaticString("}}")
        return buffer
    }
}
