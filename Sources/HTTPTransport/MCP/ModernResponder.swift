import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1
import ServerSentEvents
import Synchronization

/// Answers one modern POST with the events of its exchange. Nothing outlives the connection: a client that closes it has cancelled
/// (2026-07-28, basic/transports/streamable-http, "Cancellation").
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; `emit` hops there.
final class ModernResponder: ExchangeSink, RegisteredConnection, @unchecked Sendable {
    private let eventLoop: any EventLoop
    private weak var connection: ClientConnection?
    private let context: MCPServerContext
    private var response: PostResponse
    /// A `subscriptions/listen`: its stream is no request that is worked on.
    let isListening: Bool
    private var exchange: ModernExchange?
    private var isStreaming = false
    private var isGone = false
    private var lastWrite = NIODeadline.now()
    /// Events of other threads that are on their way to the loop: what comes on the loop meanwhile must not overtake them.
    private let hops = Atomic<Int>(0)
    let startedAt = NIODeadline.now()
    var registryIndex: Int?

    init(isListening: Bool, connection: ClientConnection, eventLoop: any EventLoop, context: MCPServerContext) {
        self.isListening = isListening
        self.connection = connection
        self.eventLoop = eventLoop
        self.context = context
        response = PostResponse(requests: 1, mayStream: context.settings.enableSSE)
    }

    /// The exchange has begun; it may be over. On the loop.
    func started(_ exchange: ModernExchange) {
        self.exchange = exchange
        if isGone { return exchange.cancel() }
        if response.isCollecting { context.loopContext(for: eventLoop).startedWaiting(self) }
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        if eventLoop.inEventLoop, hops.load(ordering: .relaxed) == 0 { return receive(event) }
        hops.wrappingAdd(1, ordering: .relaxed)
        eventLoop.execute {
            self.hops.wrappingSubtract(1, ordering: .relaxed)
            self.receive(event)
        }
    }

    private func receive(_ event: ExchangeEvent) {
        switch response.receive(event.message, isFinal: event.isFinal) {
        case .nothing: return
        case .json(let messages):
            leaveRegistries()
            connection?.respond(status(of: event), body: messages[0], of: self)
        case .openStream(let messages, let ends): openStream(messages, ends: ends)
        case .append(let message, let ends): write(message, ends: ends)
        }
    }

    /// "Protocol Version Header", "Server Validation"; what is wrong with the request is 400, all other errors are answers like results.
    private func status(of event: ExchangeEvent) -> HTTPResponseStatus {
        guard case .error(_, let cause) = event else { return .ok }
        return switch cause.code {
        case .methodNotFound: .notFound
        case .parseError, .invalidRequest, .invalidParams, .headerMismatch, .missingRequiredClientCapability, .unsupportedProtocolVersion:
            .badRequest
        default: .ok
        }
    }

    func waitIsOver() {
        guard case .openStream = response.waitIsOver() else { return }
        openStream([], ends: false)
    }

    private func openStream(_ messages: [ByteBuffer], ends: Bool) {
        leaveRegistries()
        guard let connection else { return }
        isStreaming = true
        lastWrite = .now()
        var buffer = ByteBuffer()
        for message in messages { SSEEncoder.write(message, id: nil, event: "message", to: &buffer) }
        // Something for proxies to pass on at once.
        if messages.isEmpty { buffer = SSEEncoder.keepAlive }
        context.loopContext(for: eventLoop).startedStreaming(self)
        connection.beginStream(of: self, first: buffer)
        if ends { finish(abruptly: false) }
    }

    private func write(_ message: ByteBuffer, ends: Bool) {
        guard isStreaming, let connection else { return }
        var buffer = ByteBuffer()
        SSEEncoder.write(message, id: nil, event: "message", to: &buffer)
        lastWrite = .now()
        // The answer is written whatever waits, as it would be without a stream: there is no log to read it from later.
        guard connection.writeStream(buffer, limit: ends ? .max : context.settings.slowReaderBuffer) else {
            LimitHits.count(.slowReaderBuffer)
            context.logger.info("slow reader disconnected", metadata: ["request": "\(connection.request.id)"])
            return finish(abruptly: true)
        }
        if ends { finish(abruptly: false) }
    }

    /// Says something if nothing was said for long.
    func keepAlive(now: NIODeadline) {
        guard isStreaming, let connection, now - lastWrite >= context.settings.keepAlive else { return }
        lastWrite = now
        if !connection.writeStream(SSEEncoder.keepAlive, limit: context.settings.slowReaderBuffer) { finish(abruptly: true) }
    }

    private func finish(abruptly: Bool) {
        leaveRegistries()
        guard isStreaming else { return }
        isStreaming = false
        connection?.endModernStream(abruptly: abruptly)
        if abruptly { disconnected() }
    }

    /// The time to drain is over.
    func abandon() { exchange?.abandon() }

    /// The client is gone, and with it the request.
    func disconnected() {
        guard !isGone else { return }
        isGone = true
        connection = nil
        leaveRegistries()
        isStreaming = false
        exchange?.cancel()
    }

    private func leaveRegistries() {
        let loop = context.loopContext(for: eventLoop)
        if isStreaming { loop.stoppedStreaming(self) } else { loop.stoppedWaiting(self) }
    }
}
