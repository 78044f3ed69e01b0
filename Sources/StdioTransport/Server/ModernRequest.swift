import GatewayCore
import MCPProtocol
import NIOCore

/// One modern request and its answer on the shared channel.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; `emit` hops there.
final class ModernRequest: ExchangeSink, @unchecked Sendable {
    let key: RequestKey
    let isListening: Bool
    private let eventLoop: any EventLoop
    private let output: StdioOutput
    private let ended: (ModernRequest) -> Void
    private var exchange: ModernExchange?
    private var isOver = false

    /// - Parameter ended: runs on the loop after the last event, or when it is taken back.
    init(key: RequestKey, isListening: Bool, output: StdioOutput, eventLoop: any EventLoop, ended: @escaping (ModernRequest) -> Void) {
        self.key = key
        self.isListening = isListening
        self.output = output
        self.eventLoop = eventLoop
        self.ended = ended
    }

    /// The exchange has begun; it may be over. On the loop.
    func started(_ exchange: ModernExchange) { self.exchange = exchange }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        // Never at once: what came from another thread before would be overtaken.
        eventLoop.execute { self.receive(event) }
    }

    private func receive(_ event: ExchangeEvent) {
        guard !isOver else { return }
        output.send(event.message)
        if event.isFinal { end() }
    }

    /// On the loop. From here on nothing is written for it (basic/transports/stdio, "Cancellation").
    func cancel() {
        guard !isOver else { return }
        end()
        exchange?.cancel()
    }

    private func end() {
        isOver = true
        ended(self)
    }
}
