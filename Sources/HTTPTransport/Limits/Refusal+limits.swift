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

    /// `limits.requestRatePerSession` and `requestRatePerClient`; nil while the session and its client keep to them.
    ///
    /// - Parameter count: requests that are sent at once; those of a batch.
    static func tooFast(_ session: Session, _ gateway: Gateway, count: Int = 1) -> Refusal? {
        guard let (limit, wait) = session.takeRequests(count, now: .now()) else { return nil }
        return tooFast(limit, wait, gateway)
    }

    /// `limits.requestRatePerClient`; nil while the client of a modern request keeps to it.
    static func tooFast(_ metadata: RequestMetadata, _ gateway: Gateway) -> Refusal? {
        gateway.takeRequest(of: metadata, now: .now()).map { tooFast(.requestRatePerClient, $0, gateway) }
    }

    private static func tooFast(_ limit: LimitKey, _ wait: TimeAmount, _ gateway: Gateway) -> Refusal {
        LimitHits.count(limit)
        let (who, rate) =
            limit == .requestRatePerSession
            ? ("session", gateway.settings.requestRatePerSession) : ("client", gateway.settings.requestRatePerClient)
        return tooManyRequests(
            "the \(who) sends more than \(rate) requests per second (\(limit.rawValue)); try again", seconds: wait.wholeSeconds)
    }

    /// `limits.maxListeningStreamsPerSession`
    static func tooManyStreams(_ message: String) -> Refusal {
        LimitHits.count(.maxListeningStreamsPerSession)
        return Refusal(
            status: .tooManyRequests, code: "too_many_streams",
            error: RPCError(code: .invalidRequest, message: "\(message) (\(LimitKey.maxListeningStreamsPerSession.rawValue))"),
            headers: [("retry-after", "1")])
    }

    /// Why a session could not be made. Its hit is counted by then.
    init(_ error: SessionCreationError) {
        let again = [("retry-after", "1")]
        switch error {
        case .invalid(let error): self.init(status: .badRequest, code: "invalid_request", error: error)
        case .unavailable(let error): self.init(status: .serviceUnavailable, code: "unavailable", error: error, headers: again)
        case .tooMany(.maxSessionsPerClient, let error):
            self.init(status: .tooManyRequests, code: "too_many_sessions", error: error, headers: again)
        case .tooMany(_, let error): self.init(status: .serviceUnavailable, code: "unavailable", error: error, headers: again)
        case .tooFast(let error, let wait): self = .tooManyRequests(error.message, seconds: wait.wholeSeconds)
        }
    }

    private static func tooManyRequests(_ message: String, seconds: Int64) -> Refusal {
        Refusal(
            status: .tooManyRequests, code: "too_many_requests", error: RPCError(code: .internalError, message: message),
            headers: [("retry-after", String(seconds))])
    }
}

extension TimeAmount {
    /// At least 1, as `Retry-After` wants it.
    fileprivate var wholeSeconds: Int64 { max(1, (nanoseconds + 999_999_999) / 1_000_000_000) }
}
