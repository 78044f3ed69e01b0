import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1

/// The hot path: one HTTP/1.1 connection's handler for the MCP endpoints. Requests for other paths go on to Hummingbird, which is
/// installed behind it when the first one comes. The pipeline handler before it lets one request in at a time.
final class MCPConnection: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    enum State {
        case idle
        /// A body is coming in.
        case reading(MCPRequestHead, Revision?)
        /// The request is refused; what is left of its body is dropped.
        case refusing(MCPRefusal)
        /// The answer is being worked out.
        case answering
        case streaming(SSEWriter)
        /// The request is Hummingbird's.
        case passing
        /// Answered before the body ended; the connection closes.
        case closing
    }

    let server: MCPServerContext
    let installFallback: (any Channel) throws -> Void
    var hasFallback = false
    var state = State.idle
    var body = ByteBuffer()
    var isKeepAlive = true
    /// The connection is closed only when the client has stopped sending.
    var isLingering = false
    /// How long a client may go on sending what was refused.
    static let lingerTime = TimeAmount.seconds(5)
    var responder: PostResponder?
    var context: ChannelHandlerContext?
    /// Bytes of a refused request's body that were read and dropped.
    private var droppedBytes = 0
    /// A refused body that is larger is not read to its end.
    private static let droppedBodyLimit = 1 << 20
    /// Bytes of a stream that wait for a slow reader.
    var waitingBytes = 0
    /// What waits for `waitingBytes` to become 0.
    var drained: (@Sendable () -> Void)?
    /// Of the request: a client of HTTP/1.0 takes no chunks.
    var version = HTTPVersion.http1_1
    /// Tells answers to an earlier request from those to the current one.
    var requestNumber = 0

    /// - Parameter installFallback: adds the handlers of the router behind this one.
    init(server: MCPServerContext, installFallback: @escaping (any Channel) throws -> Void) {
        self.server = server
        self.installFallback = installFallback
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelInactive(context: ChannelHandlerContext) {
        disconnected()
        context.fireChannelInactive()
    }

    func disconnected() {
        responder?.disconnected()
        responder = nil
        if case .streaming(let writer) = state { writer.stop() }
        state = .closing
        requestNumber += 1
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        switch state {
        case .answering:
            // Half closed or closed, that cannot be told apart: the answer is still written.
            isKeepAlive = false
        case .passing: break
        case .idle where hasFallback: break
        case .idle, .reading, .refusing, .streaming, .closing: context.close(promise: nil)
        }
        if hasFallback { context.fireUserInboundEventTriggered(event) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !hasFallback else { return context.fireErrorCaught(error) }
        if let error = error as? HTTPParserError, case .idle = state {
            // NIO says "unknown" where its own limit on the header's size stopped the parser.
            let isTooBig = error == .headerOverflow || error == .unknown
            let reason = isTooBig ? "the header is larger than the limit (limits.maxHeaderBytes)" : "malformed HTTP request"
            refuse(
                MCPRefusal(
                    status: isTooBig ? .requestHeaderFieldsTooLarge : .badRequest, error: RPCError(code: .invalidRequest, message: reason)),
                closing: true)
        } else {
            context.close(promise: nil)
        }
    }

    // MARK: Requests in

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): received(head, context: context, data: data)
        case .body(let part): received(part, context: context, data: data)
        case .end: receivedEnd(context: context, data: data)
        }
    }

    func received(_ head: HTTPRequestHead, context: ChannelHandlerContext, data: NIOAny) {
        requestNumber += 1
        guard let endpoint = MCPEndpoint(uri: head.uri) else {
            do {
                if !hasFallback {
                    try installFallback(context.channel)
                    hasFallback = true
                }
                state = .passing
                context.fireChannelRead(data)
            } catch {
                context.close(promise: nil)
            }
            return
        }
        let request = MCPRequestHead(head, endpoint: endpoint)
        isKeepAlive = request.isKeepAlive && !server.gateway.isDraining
        version = head.version
        body.clear()
        droppedBytes = 0
        do throws(MCPRefusal) {
            let revision = try server.rules.check(request)
            if let name = endpoint.server, !server.gateway.hasServer(name) {
                throw MCPRefusal(
                    status: .notFound, error: RPCError(code: .invalidRequest, message: "There is no server \"\(name.prefix(64))\" here"))
            }
            if let length = request.contentLength, length > server.settings.maxBodyBytes { throw tooLarge }
            state = .reading(request, revision)
            if request.expectsContinue {
                context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            }
        } catch {
            // A small body is read to its end, so that the connection stays usable; a big one is not worth it.
            if (request.contentLength ?? 0) > Self.droppedBodyLimit || request.expectsContinue {
                refuse(error, closing: true)
            } else {
                state = .refusing(error)
            }
        }
    }

    var tooLarge: MCPRefusal {
        MCPRefusal(
            status: .payloadTooLarge,
            error: RPCError(
                code: .invalidRequest, message: "The body is larger than \(server.settings.maxBodyBytes) bytes (limits.maxBodyBytes)"))
    }

    func received(_ part: ByteBuffer, context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing: context.fireChannelRead(data)
        case .reading:
            guard body.readableBytes + part.readableBytes <= server.settings.maxBodyBytes else { return refuse(tooLarge, closing: true) }
            if body.readableBytes == 0 { body = part } else { body.writeImmutableBuffer(part) }
        case .refusing(let refusal):
            droppedBytes += part.readableBytes
            if droppedBytes > Self.droppedBodyLimit { refuse(refusal, closing: true) }
        case .idle, .answering, .streaming, .closing: break
        }
    }

    func receivedEnd(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing: context.fireChannelRead(data)
        case .refusing(let refusal): refuse(refusal, closing: false)
        case .reading(let head, let revision):
            state = .answering
            switch head.method {
            case .POST: post(head, revision: revision)
            case .GET: listen(head)
            default: delete(head)
            }
        case .closing: if isLingering { context.close(promise: nil) }
        case .idle, .answering, .streaming: break
        }
    }
}
