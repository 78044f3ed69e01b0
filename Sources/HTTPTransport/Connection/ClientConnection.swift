import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection. It admits or refuses each request, answers those of the hot path (the MCP endpoints, `/sse/events`) itself and
/// passes those of other routes on to Hummingbird, which is installed behind it when the first one comes. The pipeline handler before it
/// lets one request in at a time.
final class ClientConnection: ChannelDuplexHandler, RemovableChannelHandler, RegisteredConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case idle
        /// A body is coming in.
        case reading(AdmittedRequest)
        /// The request is refused; what is left of its body is dropped.
        case refusing(Refusal)
        /// A preflight is answered with these methods.
        case preflight(methods: String, requested: String?)
        /// The answer is being worked out.
        case answering
        case streaming(SSEWriter)
        /// The answer of ``modern`` is a stream.
        case streamingModern
        /// The stream of a client of HTTP+SSE.
        case serving(HTTPSSEStream)
        /// The request is Hummingbird's.
        case passing
        /// Another instance serves it.
        case forwarding(Forward)
        /// Answered before the body ended; the connection closes.
        case closing
    }

    /// What handling a request of the hot path takes from its header. The rest of the header is not kept: an idle stream would hold it.
    struct AdmittedRequest {
        /// `Mcp-Session-Id`; of the feed `X-Session-ID`.
        let sessionID: String?
        let lastEventID: String?
        /// Of the feed: in its query.
        var ticket: String?
        /// Of the legacy era, that the header names.
        let revision: Revision?
        /// Of a modern request.
        let mirrored: MirroredFields?
    }

    /// A class: most connections never have one.
    final class HeldEnd {
        let data: NIOAny
        let promise: EventLoopPromise<Void>?

        init(data: NIOAny, promise: EventLoopPromise<Void>?) {
            self.data = data
            self.promise = promise
        }
    }

    let server: MCPServerContext
    /// What the connections of the event loop share.
    let loop: LoopContext
    let decoder: RequestDecoder
    let installFallback: (any Channel) throws -> Void
    var hasFallback = false
    var state = State.idle
    var request = CurrentRequest()
    var deadline = ConnectionDeadline()
    var writeProgress = WriteProgress()
    /// A part of a request came since bytes were last read.
    var hasReadMessage = false
    /// The reader takes nothing.
    var isStalled = false
    var body = ByteBuffer()
    /// Among several instances: the request as it came, until it is known where it is served.
    var forwardable: ForwardableRequest?
    /// The end of an answer, until the client has taken most of it.
    var heldEnd: HeldEnd?
    var isKeepAlive = true
    /// An answer ended with which the connection closes.
    var hasSaidClose = false
    /// The connection is closed only when the client has stopped sending.
    var isLingering = false
    /// How long a client may go on sending what was refused.
    static let lingerTime = TimeAmount.seconds(5)
    var responder: PostResponder?
    /// Answers a modern request.
    var modern: ModernResponder?
    var context: ChannelHandlerContext?
    var registryIndex: Int?
    /// Bytes of a refused request's body that were read and dropped.
    private var droppedBytes = 0
    /// A refused body that is larger is not read to its end.
    static let droppedBodyLimit = 1 << 20
    /// Bytes of a stream that wait for a slow reader.
    var waitingBytes = 0
    /// What waits for `waitingBytes` to become 0.
    var drained: (@Sendable () -> Void)?
    /// Of the request: a client of HTTP/1.0 takes no chunks.
    var version = HTTPVersion.http1_1
    /// Tells answers to an earlier request from those to the current one.
    var requestNumber = 0

    /// - Parameters:
    ///   - loop: of the channel's event loop.
    ///   - decoder: the one before this handler.
    ///   - installFallback: adds the handlers of the router behind this one.
    init(
        server: MCPServerContext, loop: LoopContext, decoder: RequestDecoder, installFallback: @escaping (any Channel) throws -> Void
    ) {
        self.server = server
        self.loop = loop
        self.decoder = decoder
        self.installFallback = installFallback
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline.start(.idle, now: .now(), settings: server.settings)
        loop.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.closed(self)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        disconnected()
        context.fireChannelInactive()
    }

    func disconnected() {
        responder?.disconnected()
        responder = nil
        modern?.disconnected()
        modern = nil
        switch state {
        case .streaming(let writer): writer.stop()
        case .serving(let stream): stream.stop()
        case .forwarding(let forward): forward.cancel()
        default: break
        }
        forwardable = nil
        heldEnd?.promise?.fail(ChannelError.ioOnClosedChannel)
        heldEnd = nil
        state = .closing
        requestNumber += 1
        abandonedByClient()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        // The router is not told: it would close before the client has its answer.
        switch state {
        // The end of its side is the only sign that a client of a modern request gives up, and it cancels.
        case .answering where modern != nil: context.close(promise: nil)
        case .forwarding(let forward) where forward.hasBegun: context.close(promise: nil)
        case .answering, .passing, .forwarding:
            // Half closed or closed, that cannot be told apart: the answer is still written.
            isKeepAlive = false
        case .idle where heldEnd != nil: isKeepAlive = false
        case .idle:
            // After what is on its way to the client.
            context.close(mode: .output, promise: nil)
        case .closing where !isLingering: break
        case .reading, .refusing, .preflight, .streaming, .streamingModern, .serving, .closing: context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // More of what could not be read: the client is being answered, or will be after what it asked before.
        if case .dataReceivedInErrorState? = error as? ByteToMessageDecoderError { return }
        // The end of a connection within a request is nothing that could be answered, and a second answer would be read as the next one's.
        guard let error = error as? HTTPParserError, error != .invalidEOFState, !server.gateway.isDraining, context.channel.isActive else {
            return context.close(promise: nil)
        }
        switch state {
        case .idle where !request.isInProgress && heldEnd == nil:
            beginUnreadable()
            guard error == .headerOverflow else { return refuse(.malformed, closing: true) }
            LimitHits.count(.maxHeaderBytes)
            refuse(.headerTooLarge, closing: true)
        case .reading, .refusing, .preflight, .passing:
            guard request.status == 0 else { return context.close(promise: nil) }
            refuse(.malformed, closing: true)
        case .idle, .answering, .streaming, .streamingModern, .serving, .forwarding, .closing: context.close(promise: nil)
        }
    }

    // MARK: Requests in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasReadMessage = true
        switch unwrapInboundIn(data) {
        case .head(let head):
            decoder.headEnded()
            // The last answer said that the connection closes: what comes behind it is nobody's.
            guard !hasSaidClose else { return state = .closing }
            droppedBytes = 0
            body.clear()
            received(head, context: context)
        case .body(let part): received(part, context: context, data: data)
        case .end: receivedEnd(context: context, data: data)
        }
    }

    func received(_ part: ByteBuffer, context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing: context.fireChannelRead(data)
        case .reading:
            guard body.readableBytes + part.readableBytes <= server.settings.maxBodyBytes else {
                return refuse(.tooLarge(server.settings), closing: true)
            }
            if body.readableBytes == 0 { body = part } else { body.writeImmutableBuffer(part) }
        case .refusing(let refusal):
            droppedBytes += part.readableBytes
            if droppedBytes > Self.droppedBodyLimit { refuse(refusal, closing: true) }
        case .preflight:
            droppedBytes += part.readableBytes
            if droppedBytes > Self.droppedBodyLimit { context.close(promise: nil) }
        case .idle, .answering, .streaming, .streamingModern, .serving, .forwarding, .closing: break
        }
    }

    func receivedEnd(context: ChannelHandlerContext, data: NIOAny) {
        decoder.requestEnded()
        deadline.stop()
        request.isComplete = true
        switch state {
        case .passing: context.fireChannelRead(data)
        case .refusing(let refusal): refuse(refusal, closing: false)
        case .preflight(let methods, let requested):
            respond(.noContent, body: nil, headers: CrossOrigin.preflight(methods: methods, requested: requested))
        case .reading(let admitted):
            state = .answering
            if checkForwardedBody() {
                forwardable?.body = body
                serve(admitted)
            }
        case .closing: if isLingering { context.close(promise: nil) }
        case .idle, .answering, .streaming, .streamingModern, .serving, .forwarding: break
        }
        // Answered before its end, as the router may do.
        if request.hasEnded { becomeIdle() }
    }

    private func serve(_ admitted: AdmittedRequest) {
        switch (request.route, request.method) {
        case (.sse, _): openHTTPSSE()
        case (.messages, _): postToHTTPSSE()
        case (.api(let route), _): serve(route)
        case (_, .POST): post(admitted)
        case (.events, _): openFeed(admitted)
        case (_, .GET): listen(admitted)
        default: delete(admitted)
        }
    }
}
