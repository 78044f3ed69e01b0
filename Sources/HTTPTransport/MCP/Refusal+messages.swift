import GatewayCore
import MCPProtocol
import NIOHTTP1

/// What a body gets that is no message.
extension Refusal {
    init(_ error: MessageError, _ settings: HTTPTransportSettings) {
        guard case .malformed(let cause) = error else {
            self.init(status: .badRequest, error: error.rpcError)
            return
        }
        self.init(
            status: .badRequest, error: RPCError(code: error.rpcError.code, message: "Parse error: \(cause.explained(settings))"))
    }
}

extension JSONScanError {
    /// What is wrong, with the limit where one is run into (`limits.maxNestingDepth`). That counts the hit.
    func explained(_ settings: HTTPTransportSettings) -> String {
        guard reason == .tooDeep else { return description }
        LimitHits.count(.maxNestingDepth)
        return "\(self): more than \(settings.maxNestingDepth) levels (\(LimitKey.maxNestingDepth.rawValue))"
    }
}
