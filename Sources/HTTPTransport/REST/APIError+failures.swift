import GatewayCore
import HTTPTypes
import MCPProtocol

/// What the failure of an exchange is in HTTP.
extension APIError {
    /// - Parameter event: the last of an exchange that has no result.
    init(_ event: ExchangeEvent) {
        let answer = try? Message.parse(event.message)
        let message = answer.flatMap { $0.json.string($0.json.member("message", of: $0.error)) } ?? "the call failed"
        self.init(event.failureCause ?? .internalError, message: message)
    }

    init(_ cause: ExchangeFailure.Cause, message: String) {
        switch cause {
        case .invalidRequest, .invalidParams, .answered(RPCError.Code.invalidParams.rawValue):
            self.init(status: .badRequest, code: "invalid_request", message: message)
        case .unknownTool: self.init(status: .notFound, code: "unknown_tool", message: message)
        case .unknownPrompt, .unknownResource, .unknownTask, .unknownMethod:
            self.init(status: .notFound, code: "not_found", message: message)
        case .limit(.maxConcurrentPerSession, let seconds):
            self.init(status: .tooManyRequests, code: "too_many_requests", message: message, retryAfter: seconds)
        case .limit(_, let seconds): self.init(status: .serviceUnavailable, code: "overloaded", message: message, retryAfter: seconds)
        case .sessionEnded: self.init(status: .unauthorized, code: "invalid_session", message: message)
        case .upstreamUnavailable, .upstreamFailed, .upstreamBroken:
            self.init(status: .badGateway, code: "upstream_failed", message: message)
        case .upstreamTimeout: self.init(status: .gatewayTimeout, code: "upstream_timeout", message: message)
        case .answered(let code): self.init(status: .badGateway, code: "upstream_failed", message: "\(message) (\(code))")
        case .cancelled: self.init(status: .conflict, code: "cancelled", message: message)
        case .draining: self.init(status: .serviceUnavailable, code: "unavailable", message: message, retryAfter: 1)
        case .internalError: self.init(status: .internalServerError, code: "internal_error", message: message)
        }
    }
}
