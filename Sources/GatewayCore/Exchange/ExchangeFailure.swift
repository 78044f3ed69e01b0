public import MCPProtocol
public import NIOCore

/// Why an exchange has no result: what caused it, for whoever maps failures (codes, statuses), and a message for people.
public struct ExchangeFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What caused it. Every mapping of failures switches over this; none looks at the message.
    public let cause: Cause
    /// What happened, which value was wrong, what to do next. The client sees it.
    public let message: String
    /// Raw JSON for the error's `data`.
    public let data: ByteBuffer?

    public init(_ cause: Cause, _ message: String, data: ByteBuffer? = nil) {
        self.cause = cause
        self.message = message
        self.data = data
    }

    /// The JSON-RPC error that a client of the revisions with sessions sees.
    public var error: RPCError { RPCError(code: cause.code, message: message, data: data) }

    public var description: String { error.description }

    /// No server has the resource (server/resources, "Error Handling").
    static func unknownResource(_ uri: String) -> ExchangeFailure {
        var data = ByteBuffer(string: "{\"uri\":")
        data.writeJSONString(uri)
        data.writeStaticString("}")
        return ExchangeFailure(.unknownResource, "Resource not found: \(uri)", data: data)
    }

    /// The time to drain is over.
    static let drainTimeout = ExchangeFailure(
        .draining,
        "the gateway is shutting down and this request took longer than it may wait (gateway.drainTimeout); send it again")

    /// The session is at home at another instance now.
    static let moved = ExchangeFailure(
        .internalError,
        "the outcome of this request is unknown: this instance lost its session to another one while it was in progress. Send it again if that is safe."
    )

    public enum Cause: Sendable, Hashable {
        /// The request makes no sense now.
        case invalidRequest
        /// The params are wrong.
        case invalidParams
        /// No server has a tool of this name, or it is hidden.
        case unknownTool
        case unknownPrompt
        case unknownResource
        case unknownTask
        /// No server knows the method.
        case unknownMethod
        /// A bound is reached; the request did not get to a server. To be tried again after so many seconds.
        case limit(LimitKey, retryAfter: Int)
        /// The session ended before the request got to a server.
        case sessionEnded
        /// The server does not run or cannot be reached; the request did not get to it.
        case upstreamUnavailable
        /// The server ended, or the way to it broke, before it answered: what it did is unknown.
        case upstreamFailed
        /// The server's answer is none.
        case upstreamBroken
        /// The server was silent for too long.
        case upstreamTimeout
        /// The server answered with an error of its own, whose code this is.
        case answered(code: Int)
        /// The client took the request back, or ended its session.
        case cancelled
        /// The gateway is shutting down.
        case draining
        /// The gateway failed.
        case internalError
    }
}

extension ExchangeFailure.Cause {
    /// The JSON-RPC code that says so (JSON-RPC 2.0 section 5.1; MCP 2025-11-25 and before).
    public var code: RPCError.Code {
        switch self {
        case .invalidRequest: .invalidRequest
        case .invalidParams, .unknownTool, .unknownPrompt, .unknownTask: .invalidParams
        case .unknownResource: .resourceNotFound
        case .unknownMethod: .methodNotFound
        case .limit, .upstreamBroken, .draining, .internalError: .internalError
        case .sessionEnded, .upstreamUnavailable, .upstreamFailed: .connectionClosed
        case .upstreamTimeout: .requestTimeout
        case .answered(let code): RPCError.Code(rawValue: code)
        case .cancelled: .requestCancelled
        }
    }
}
