import GatewayCore
import HTTPTypes
import MCPProtocol
import Testing

@testable import HTTPTransport

@Suite("What a failed call is in the REST API")
struct APIFailureTests {
    @Test(
        "every cause has its status and code",
        arguments: [
            (ExchangeFailure.Cause.invalidParams, 400, "invalid_request", nil), (.answered(code: -32602), 400, "invalid_request", nil),
            (.sessionEnded, 401, "invalid_session", nil), (.unknownTool, 404, "unknown_tool", nil), (.unknownMethod, 404, "not_found", nil),
            (.cancelled, 409, "cancelled", nil), (.limit(.maxConcurrentPerSession, retryAfter: 1), 429, "too_many_requests", 1),
            (.internalError, 500, "internal_error", nil), (.upstreamUnavailable, 502, "upstream_failed", nil),
            (.upstreamFailed, 502, "upstream_failed", nil), (.upstreamBroken, 502, "upstream_failed", nil),
            (.answered(code: -32603), 502, "upstream_failed", nil), (.limit(.maxInFlightPerUpstream, retryAfter: 3), 503, "overloaded", 3),
            (.limit(.maxQueuedInputBytes, retryAfter: 1), 503, "overloaded", 1),
            (.limit(.maxSessionProcesses, retryAfter: 1), 503, "overloaded", 1), (.draining, 503, "unavailable", 1),
            (.upstreamTimeout, 504, "upstream_timeout", nil),
        ] as [(ExchangeFailure.Cause, Int, String, Int?)])
    func mapping(cause: ExchangeFailure.Cause, status: Int, code: String, retryAfter: Int?) {
        let error = APIError(.error(ExchangeFailure(cause, "what happened").error.response(id: nil), cause))
        #expect(error.status.code == status)
        #expect(error.code == code)
        #expect(error.message.hasPrefix("what happened"))
        #expect(error.retryAfter == retryAfter)
    }
}
