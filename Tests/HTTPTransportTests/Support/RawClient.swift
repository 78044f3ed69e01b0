import NIOCore
import NIOPosix

/// A connection whose every byte the test decides.
final class RawClient: Sendable {
    let channel: any Channel
    let received: Monitor<ReceivedBytes>

    /// - Parameter reads: false leaves what comes in the socket until `startReading`.
    static func connect(port: Int, reads: Bool = true) async throws -> RawClient {
        let received = Monitor(ReceivedBytes())
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(received: received))
                }
            }
        if !reads { bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: 4096) }
        return RawClient(channel: try await bootstrap.connect(host: "127.0.0.1", port: port).get(), received: received)
    }

    private init(channel: any Channel, received: Monitor<ReceivedBytes>) {
        self.channel = channel
        self.received = received
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let received: Monitor<ReceivedBytes>
        init(received: Monitor<ReceivedBytes>) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            received.update { $0.bytes += Array(bytes.readableBytesView) }
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .inputClosed? = event as? ChannelEvent { received.update { $0.isClosed = true } }
        }

        func channelInactive(context: ChannelHandlerContext) { received.update { $0.isClosed = true } }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }
    func send(bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    func close() async { try? await channel.close() }
    /// No more will be sent; answers may still come.
    func halfClose() async throws { try await channel.close(mode: .output) }

    func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }
    func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

    func head() async throws -> ResponseHead { try await received.wait(for: "a response") { $0.takeHead() } }

    func response() async throws -> Response {
        let head = try await head()
        return Response(head: head, body: try await received.wait(for: "the body of a \(head.status)") { $0.takeBody(of: head) })
    }

    /// Sends a request and gives the whole answer.
    func response(to request: String) async throws -> Response {
        try await send(request)
        return try await response()
    }

    func next() async throws -> ServerSentEvent.Next { try await received.wait(for: "an event") { $0.takeEvent() } }

    func event() async throws -> ServerSentEvent {
        let next = try await next()
        guard case .event(let event) = next else { throw UnexpectedEnd(next: next) }
        return event
    }

    /// The next event that carries a message.
    func message() async throws -> ServerSentEvent {
        while true {
            let event = try await event()
            if event.isMessage { return event }
        }
    }

    /// All events until the response ends or breaks, those that carry messages.
    func messages() async throws -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        while case .event(let event) = try await next() { if event.isMessage { events.append(event) } }
        return events
    }

    func waitForClose() async throws { try await received.wait(until: "the connection to close") { $0.isClosed } }

    struct UnexpectedEnd: Error { let next: ServerSentEvent.Next }
}
