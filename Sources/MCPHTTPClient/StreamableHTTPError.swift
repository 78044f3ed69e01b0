/// Why a request got no response.
public enum StreamableHTTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No connection could be made; the server has not seen the request.
    case connectFailed(reason: String)
    /// The connection was lost when the request may have reached the server, and its stream could not be resumed.
    case connectionLost(reason: String)
    /// No response head came in time.
    case timedOut(seconds: Double)
    /// The server answered with an HTTP status that carries no answer to the request. The excerpt is the start of its body.
    case http(status: Int, excerpt: String)
    /// The server does not know the session any more and has refused the request for it (basic/transports, session management).
    case sessionEnded
    /// The server accepted the request but ended its answer without a response to it.
    case noResponse(excerpt: String)
    /// The answer is neither `application/json` nor `text/event-stream`.
    case unexpectedContentType(String)
    /// A message, of ours or of the server, is not a JSON-RPC message.
    case malformedMessage(reason: String)
    /// A message of the server is larger than `maxMessageBytes`.
    case messageTooLarge(limit: Int)
    /// The session id that the server sent has characters that are not allowed.
    case invalidSessionID
    /// More than `maxInFlight` requests are waiting for their responses.
    case tooManyInFlight(limit: Int)
    /// The configured URL is not an HTTP URL.
    case invalidURL
    /// The client was closed.
    case closed

    /// Whether the server has certainly not begun to work on the request, so that sending it again cannot do it twice.
    public var isSafeToResend: Bool {
        switch self {
        case .connectFailed, .sessionEnded, .tooManyInFlight: true
        case .http(let status, _): status == 429 || status == 503
        default: false
        }
    }

    /// Whether the server could not be reached, as opposed to having answered.
    public var isUnreachable: Bool {
        switch self {
        case .connectFailed, .connectionLost: true
        case .http(let status, _): (502...504).contains(status)
        default: false
        }
    }

    public var description: String {
        switch self {
        case .connectFailed(let reason): "cannot connect to the server: \(reason)"
        case .connectionLost(let reason): "the connection to the server was lost before it answered: \(reason)"
        case .timedOut(let seconds): "the server sent no response head within \(seconds) s"
        case .http(let status, let excerpt): excerpt.isEmpty ? "HTTP status \(status)" : "HTTP status \(status): \(excerpt)"
        case .sessionEnded: "the server has ended the session; initialize again"
        case .noResponse(let excerpt):
            excerpt.isEmpty ? "the server ended its answer without a response" : "the server's answer holds no response: \(excerpt)"
        case .unexpectedContentType(let type): "the server answered with content type \"\(type)\"; is the URL that of an MCP endpoint?"
        case .malformedMessage(let reason): "not a JSON-RPC message: \(reason)"
        case .messageTooLarge(let limit): "the server's message is larger than the limit of \(limit) bytes"
        case .invalidSessionID: "the server sent a session id with characters that are not allowed"
        case .tooManyInFlight(let limit): "\(limit) requests are already waiting for their responses; try again later"
        case .invalidURL: "the URL is not an http:// or https:// URL"
        case .closed: "the client is closed"
        }
    }
}
