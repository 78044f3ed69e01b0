import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// What a request gets that runs into a limit, on every route. Making one counts the hit.
extension Refusal {
    /// `limits.maxBodyBytes`
    static func tooLarge(_ settings: HTTPTransportSettings) -> Refusal {
        LimitHits.count(.maxBodyBytes)
        return Refusal(
            status: .payloadTooLarge, code: "too_large",
            error: RPCError(
                code: .invalidRequest, message: "The body is larger than \(settings.maxBodyBytes) bytes (limits.maxBodyBytes)"))
    }

    /// `limits.maxConcurrentPerSession`; nil while the session may have one more request.
    static func busy(_ session: Session, _ gateway: Gateway) -> Refusal? {
        guard session.isBusy else { return nil }
        LimitHits.count(.maxConcurrentPerSession)
        let limit = gateway.settings.maxConcurrentPerSession
        return tooManyRequests("the session has \(limit) requests in progress (limits.maxConcurrentPerSession); try again", seconds: 1)
    }

    /// `limits.requestRatePerSession`; nil while the session keeps to it.
    static func tooFast(_ session: Session, _ settings: HTTPTransportSettings) -> Refusal? {
        let rate = settings.requestRatePerSession
        guard rate > 0, let wait = session.takeRequest(ratePerSecond: rate, now: .now()) else { return nil }
        LimitHits.count(.requestRatePerSession)
        return tooManyRequests(
            "the session sends more than \(rate) requests per second (limits.requestRatePerSession); try again",
            seconds: max(1, (wait.nanoseconds + 999_999_999) / 1_000_000_000))
    }

    private static func tooManyRequests(_ message: String, seconds: Int64) -> Refusal {
        Refusal(
            status: .tooManyRequests, code: "too_many_requests", error: RPCError(code: .internalError, message: message),
            headers: [("retry-after", String(seconds))])
    }
}
