import GatewayCore
import MCPProtocol
import NIOCore

/// The requests of a modern client (2026-07-28, basic/transports/stdio). Confined to the channel's loop.
final class ModernRequests {
    private let gateway: Gateway
    private let output: StdioOutput
    private let eventLoop: any EventLoop
    /// Those that have no answer.
    private var open: [RequestKey: ModernRequest] = [:]

    init(gateway: Gateway, output: StdioOutput, eventLoop: any EventLoop) {
        self.gateway = gateway
        self.output = output
        self.eventLoop = eventLoop
    }

    /// Takes a message of the modern era; false for one that is none.
    func take(_ message: Message) -> Bool {
        switch message.kind {
        case .request:
            guard Self.isModern(message) else { return false }
            start(message)
            return true
        case .notification:
            // Nothing else is defined for clients.
            guard message.methodName == .cancelled, let key = RequestKey(message.param("requestId"), in: message.json) else { return false }
            guard let request = open[key] else { return false }
            request.cancel()
            return true
        case .response, .errorResponse: return false
        }
    }

    /// Whether a request says its version itself, or can be of no other era.
    private static func isModern(_ message: Message) -> Bool {
        if RequestMetadata.isPresent(in: message) { return true }
        return message.methodName == .serverDiscover || message.methodName == .subscriptionsListen
    }

    private func start(_ message: Message) {
        guard let key = RequestKey(message.id, in: message.json) else { return }
        do throws(RPCError) {
            let metadata = try RequestMetadata(message)
            let limit = gateway.settings.maxConcurrentPerSession
            guard open.count < limit else {
                LimitHits.count(.maxConcurrentPerSession)
                throw RPCError(
                    code: .internalError, message: "\(limit) requests are in progress (limits.maxConcurrentPerSession); try again")
            }
            let request = ModernRequest(
                key: key, isListening: message.methodName == .subscriptionsListen, output: output, eventLoop: eventLoop
            ) { [weak self] in self?.ended($0) }
            // A client that uses an id twice at once gets both answers, and can cancel the later.
            open[key] = request
            output.exchangeBegan()
            request.started(gateway.handleModern(message, metadata: metadata, server: nil, context: .none, sink: request))
        } catch {
            output.send(error.response(id: message.idBytes))
        }
    }

    private func ended(_ request: ModernRequest) {
        if open[request.key] === request { open.removeValue(forKey: request.key) }
        output.exchangeEnded()
    }

    /// The client will not say any more; what it listens to is over.
    func stopListening() {
        for request in open.values where request.isListening { request.cancel() }
    }

    /// The client is gone.
    func cancelAll() {
        for request in open.values { request.cancel() }
    }
}
