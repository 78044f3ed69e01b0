import Hummingbird
import MCPProtocol
import NIOCore

/// An error of the REST API: `{"error":{"code":…,"message":…}}`.
struct APIError: HTTPResponseError {
    let status: HTTPResponse.Status
    /// For programs; lower case with underscores.
    let code: String
    /// For people: what happened, which value was wrong, what to do next.
    let message: String
    /// Seconds after which trying again makes sense.
    var retryAfter: Int?

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
