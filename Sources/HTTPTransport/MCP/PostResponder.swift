import GatewayCore
import MCPProtocol
import NIOCore

/// Answers one POST with the events of its exchanges, and outlives the connection: what comes later is in the log.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; `emit` hops there.
final class PostResponder: ExchangeSink, RegisteredConnection, @unchecked Sendable {
    private let eventLoop: any EventLoop
    private weak var connection: ClientConnection?
    private let context: MCPServerContext
    private let session: Session
    private let requests: [Message]
    private let isBatch: Bool
    private var response: PostResponse
    private var stream: EventStream?
    private var writer: SSEWriter?
    let startedAt = NIODeadline.now()
    var registryIndex: Int?

    init(
        session: Session, requests: [Message], isBatch: Bool, connection: ClientConnection, eventLoop: any EventLoop,
        context: MCPServerContext
    ) {
        self.session = session
        self.requests = requests
        self.isBatch = isBatch
        self.connection = connection
        self.eventLoop = eventLoop
        self.context = context
        response = PostResponse(requests: requests.count, mayStream: context.settings.enableSSE)
    }

    /// Waits for the first event. On the loop, after the exchanges were started.
    func startWaiting() {
        if response.isCollecting { context.loopContext(for: eventLoop).startedWaiting(self) }
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        if eventLoop.inEventLoop {
            receive(event)
        } else {
            eventLoop.execute { self.receive(event) }
        }
    }

    private func receive(_ event: ExchangeEvent) { perform(response.receive(event.message, isFinal: event.isFinal)) }

    func waitIsOver() { perform(response.waitIsOver()) }

    private func perform(_ action: PostResponse.Action) {
        switch action {
        case .nothing: return
        case .json(let messages):
            context.loopContext(for: eventLoop).stoppedWaiting(self)
            connection?.respond(json: isBatch ? Self.array(messages) : messages[0], responder: self)
        case .openStream(let messages, let ends):
            context.loopContext(for: eventLoop).stoppedWaiting(self)
            openStream(messages, ends: ends)
        case .append(let message, let ends):
            guard let stream else { return }
            stream.append(message, ends: ends)
            if ends { session.exchangeStreamEnded(stream) }
        }
    }

    private func openStream(_ messages: [ByteBuffer], ends: Bool) {
        let stream = session.openExchangeStream(answering: requests) { result in
            // From here on the stream's id may be given out, if the log knows it.
            let isLogged = (try? result.get()) != nil
            self.eventLoop.execute { self.writer?.begin(isLogged: isLogged) }
        }
        self.stream = stream
        if let connection {
            let writer = SSEWriter(
                stream: stream, startsAfter: 0, style: .mcp(session.revision, isResumed: false), connection: connection,
                eventLoop: eventLoop,
                context: context)
            self.writer = writer
            connection.attached(writer)
            stream.attach(writer, after: 0)
        }
        for (index, message) in messages.enumerated() { stream.append(message, ends: ends && index == messages.count - 1) }
    }

    /// The client is gone. Its exchanges go on (basic/transports: a disconnect is no cancellation).
    func disconnected() {
        connection = nil
        writer?.stop()
    }

    private static func array(_ messages: [ByteBuffer]) -> ByteBuffer {
        var buffer = ByteBuffer(string: "[")
        for (index, message) in messages.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeImmutableBuffer(message)
        }
        buffer.writeStaticString("]")
        return buffer
    }
}
