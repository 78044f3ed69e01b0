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

    private enum State {
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

    private let server: MCPServerContext
    private let installFallback: (any Channel) throws -> Void
    private var hasFallback = false
    private var state = State.idle
    private var body = ByteBuffer()
    private var isKeepAlive = true
    private var responder: PostResponder?
    private var context: ChannelHandlerContext?
    /// Bytes of a stream that wait for a slow reader.
    private var waitingBytes = 0
    /// Tells answers to an earlier request from those to the current one.
    private var requestNumber = 0

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

    private func disconnected() {
        responder?.disconnected()
        responder = nil
        if case .streaming(let writer) = state { writer.stop() }
        state = .closing
        requestNumber += 1
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !hasFallback else { return context.fireErrorCaught(error) }
        if error is HTTPParserError, case .idle = state {
            refuse(
                MCPRefusal(status: .badRequest, error: RPCError(code: .invalidRequest, message: "malformed HTTP request")), closing: true)
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

    private func received(_ head: HTTPRequestHead, context: ChannelHandlerContext, data: NIOAny) {
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
        body.clear()
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
            if (request.contentLength ?? 0) > 1 << 20 || request.expectsContinue {
                refuse(error, closing: true)
            } else {
                state = .refusing(error)
            }
        }
    }

    private var tooLarge: MCPRefusal {
        MCPRefusal(
            status: .payloadTooLarge,
            error: RPCError(
                code: .invalidRequest, message: "The body is larger than \(server.settings.maxBodyBytes) bytes (limits.maxBodyBytes)"))
    }

    private func received(_ part: ByteBuffer, context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .passing: context.fireChannelRead(data)
        case .reading:
            guard body.readableBytes + part.readableBytes <= server.settings.maxBodyBytes else { return refuse(tooLarge, closing: true) }
            if body.readableBytes == 0 { body = part } else { body.writeImmutableBuffer(part) }
        case .refusing(let refusal):
            waitingBytes += part.readableBytes
            if waitingBytes > 1 << 20 { refuse(refusal, closing: true) }
        case .idle, .answering, .streaming, .closing: break
        }
    }

    private func receivedEnd(context: ChannelHandlerContext, data: NIOAny) {
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
        case .idle, .answering, .streaming, .closing: break
        }
    }

    // MARK: POST

    private func post(_ head: MCPRequestHead, revision: Revision?) {
        do throws(MessageError) {
            let payload: Message.Payload
            // One message is the rule; only an array takes the way through the batch parser.
            let message = body
            body = ByteBuffer()
            payload = try Message.parsePayload(message, maxDepth: server.settings.maxNestingDepth)
            if case .single(let message) = payload, message.kind == .request, message.methodName == .initialize {
                return initialize(message, head: head)
            }
            withSession(head) { connection, session in connection.dispatch(payload, session: session, revision: revision) }
        } catch {
            refuse(MCPRefusal(status: .badRequest, error: error.rpcError), closing: false, id: error.id)
        }
    }

    private func initialize(_ message: Message, head: MCPRequestHead) {
        let number = requestNumber
        let handle = handle
        server.gateway.createSession(message, server: head.endpoint.server) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                switch result {
                case .success(let (session, response)):
                    connection.respond(.ok, body: response, headers: [("mcp-session-id", session.id.description)])
                case .failure(.invalid(let error)):
                    connection.respond(.badRequest, body: error.response(id: message.idBytes))
                case .failure(.unavailable(let error)):
                    connection.respond(.serviceUnavailable, body: error.response(id: message.idBytes), headers: [("retry-after", "1")])
                }
            }
        }
    }

    /// Finds the session that the request names; answers itself when there is none.
    private func withSession(_ head: MCPRequestHead, _ body: @escaping @Sendable (MCPConnection, Session) -> Void) {
        guard let text = head.sessionID else {
            return refuse(
                MCPRefusal(
                    status: .badRequest,
                    error: RPCError(code: .invalidRequest, message: "Mcp-Session-Id is missing; send initialize first")), closing: false)
        }
        guard let id = SessionID(text) else { return refuse(noSession, closing: false) }
        let number = requestNumber
        let handle = handle
        server.gateway.session(id) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                switch result {
                case .success(let session?) where session.server == head.endpoint.server: body(connection, session)
                case .success: connection.refuse(connection.noSession, closing: false)
                case .failure(let error):
                    connection.refuse(
                        MCPRefusal(
                            status: .serviceUnavailable, error: RPCError(code: .internalError, message: error.description),
                            headers: [("retry-after", "1")]), closing: false)
                }
            }
        }
    }

    private var tooManyRequests: MCPRefusal {
        let limit = server.gateway.settings.maxConcurrentPerSession
        return MCPRefusal(
            status: .tooManyRequests,
            error: RPCError(
                code: .internalError, message: "the session has \(limit) requests in progress (limits.maxConcurrentPerSession); try again"),
            headers: [("retry-after", "1")])
    }

    private var noSession: MCPRefusal {
        MCPRefusal(
            status: .notFound,
            error: RPCError(code: .connectionClosed, message: "Session not found; it has ended or expired. Send initialize for a new one."))
    }

    private func dispatch(_ payload: Message.Payload, session: Session, revision: Revision?) {
        guard let context else { return }
        switch payload {
        case .single(let message):
            guard message.kind == .request else {
                server.gateway.accept(message, in: session)
                return respond(.accepted, body: nil)
            }
            guard !session.isBusy else { return refuse(tooManyRequests, closing: false, id: message.idBytes) }
            let responder = PostResponder(
                session: session, requestIDs: [message.idBytes ?? ByteBuffer()], isBatch: false, connection: self,
                eventLoop: context.eventLoop, context: server)
            self.responder = responder
            server.gateway.handle(message, in: session, sink: responder)
            responder.startWaiting()
        case .batch(let elements):
            dispatchBatch(elements, session: session, revision: revision, eventLoop: context.eventLoop)
        }
    }

    /// JSON-RPC batches (2025-03-26, basic/transports, "Sending Messages to the Server").
    private func dispatchBatch(
        _ elements: [Result<Message, MessageError>], session: Session, revision: Revision?, eventLoop: any EventLoop
    ) {
        func refuseBatch(_ reason: String, id: ByteBuffer? = nil) {
            refuse(MCPRefusal(status: .badRequest, error: RPCError(code: .invalidRequest, message: reason)), closing: false, id: id)
        }
        guard (revision ?? session.revision).hasBatches, session.revision.hasBatches else {
            return refuseBatch("JSON-RPC batches are not part of revision \(session.revision.rawValue)")
        }
        guard !elements.isEmpty else { return refuseBatch("an empty batch is no request") }
        var messages: [Message] = []
        for element in elements {
            switch element {
            case .success(let message): messages.append(message)
            case .failure(let error): return refuseBatch(error.description, id: error.id)
            }
        }
        guard !messages.contains(where: { $0.methodName == .initialize }) else { return refuseBatch("initialize must not be in a batch") }
        let requests = messages.filter { $0.kind == .request }
        for message in messages where message.kind != .request { server.gateway.accept(message, in: session) }
        guard !requests.isEmpty else { return respond(.accepted, body: nil) }
        let responder = PostResponder(
            session: session, requestIDs: requests.compactMap(\.idBytes), isBatch: true, connection: self, eventLoop: eventLoop,
            context: server)
        self.responder = responder
        for request in requests { server.gateway.handle(request, in: session, sink: responder) }
        responder.startWaiting()
    }

    // MARK: GET and DELETE

    private func listen(_ head: MCPRequestHead) {
        withSession(head) { connection, session in
            guard let text = head.lastEventID else { return connection.openListeningStream(of: session) }
            guard let id = EventID(text) else {
                return connection.refuse(
                    MCPRefusal(
                        status: .badRequest,
                        error: RPCError(code: .invalidRequest, message: "Last-Event-ID \"\(text.prefix(64))\" is not of this gateway")),
                    closing: false)
            }
            connection.resume(id, session: session)
        }
    }

    private func openListeningStream(of session: Session) {
        let number = requestNumber
        let handle = handle
        let opened: @Sendable (Result<Void, StoreError>) -> Void = { _ in
            handle.onNextTick { connection in
                guard connection.requestNumber == number, case .streaming(let writer) = connection.state else { return }
                writer.begin(revision: session.revision)
                writer.stream.attach(writer, after: writer.startsAfter)
                session.listeningStreamAttached()
            }
        }
        guard let context, let (stream, after) = session.openListeningStream(opened: opened) else {
            return refuse(
                MCPRefusal(
                    status: .tooManyRequests,
                    error: RPCError(
                        code: .invalidRequest, message: "the session has too many open streams (limits.maxListeningStreamsPerSession)")),
                closing: false)
        }
        let writer = SSEWriter(stream: stream, startsAfter: after, connection: self, eventLoop: context.eventLoop, context: server)
        state = .streaming(writer)
    }

    /// Goes on with a stream after the event that the client saw last (basic/transports, "Resumability and Redelivery").
    private func resume(_ id: EventID, session: Session) {
        let number = requestNumber
        let handle = handle
        session.findStream(id.stream) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number, let context = connection.context else { return }
                guard case .success(let stream?) = result else {
                    return connection.refuse(
                        MCPRefusal(
                            status: .notFound,
                            error: RPCError(code: .invalidRequest, message: "The stream of Last-Event-ID is unknown or too old to resume")),
                        closing: false)
                }
                let writer = SSEWriter(
                    stream: stream, startsAfter: id.sequence, connection: connection, eventLoop: context.eventLoop,
                    context: connection.server)
                connection.state = .streaming(writer)
                writer.begin(revision: session.revision, isResumed: true)
                stream.attach(writer, after: id.sequence)
                if stream.kind == .listening { session.listeningStreamAttached() }
            }
        }
    }

    private func delete(_ head: MCPRequestHead) {
        withSession(head) { connection, session in
            let number = connection.requestNumber
            let handle = connection.handle
            connection.server.gateway.endSession(session) { result in
                handle.onLoop { connection in
                    guard connection.requestNumber == number else { return }
                    switch result {
                    case .success: connection.respond(.noContent, body: nil)
                    case .failure(let error):
                        connection.respond(
                            .serviceUnavailable, body: RPCError(code: .internalError, message: error.description).response(id: nil))
                    }
                }
            }
        }
    }

    // MARK: Responses out

    /// The JSON answer of a POST.
    func respond(json: ByteBuffer, responder: PostResponder) {
        guard self.responder === responder else { return }
        self.responder = nil
        respond(.ok, body: json)
    }

    private func refuse(_ refusal: MCPRefusal, closing: Bool, id: ByteBuffer? = nil) {
        if closing { isKeepAlive = false }
        respond(refusal.status, body: refusal.error.response(id: id), headers: refusal.headers)
        if closing { state = .closing }
    }

    private func respond(_ status: HTTPResponseStatus, body: ByteBuffer?, headers extra: [(String, String)] = []) {
        guard let context else { return }
        var headers = HTTPHeaders()
        headers.reserveCapacity(4 + extra.count)
        if let body {
            headers.add(name: "content-type", value: "application/json")
            headers.add(name: "content-length", value: String(body.readableBytes))
        } else if status != .noContent {
            headers.add(name: "content-length", value: "0")
        }
        for (name, value) in extra { headers.add(name: name, value: value) }
        if !isKeepAlive { headers.add(name: "connection", value: "close") }
        state = .idle
        waitingBytes = 0
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        finishResponse(context)
    }

    private func finishResponse(_ context: ChannelHandlerContext) {
        if isKeepAlive {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        } else {
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    /// A POST's answer became a stream.
    func attached(_ writer: SSEWriter) {
        guard case .answering = state else { return }
        responder = nil
        state = .streaming(writer)
    }

    func beginStream(first: ByteBuffer) {
        guard let context else { return }
        waitingBytes = 0
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: "text/event-stream")
        headers.add(name: "cache-control", value: "no-cache, no-transform")
        headers.add(name: "x-accel-buffering", value: "no")
        if !isKeepAlive { headers.add(name: "connection", value: "close") }
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(first))), promise: nil)
    }

    /// Writes to the stream; false when more than `limit` bytes wait for the reader.
    func writeStream(_ bytes: ByteBuffer, limit: Int) -> Bool {
        guard let context else { return false }
        if context.channel.isWritable {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            return true
        }
        let count = bytes.readableBytes
        guard waitingBytes + count <= limit else { return false }
        waitingBytes += count
        let handle = handle
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes)))).whenComplete { _ in
            handle.onLoop { $0.waitingBytes = max(0, $0.waitingBytes - count) }
        }
        return true
    }

    /// Ends the stream's response; abruptly closes the connection, so that the client knows that there was more to come.
    func endStream(abruptly: Bool) {
        guard let context, case .streaming = state else { return }
        state = .idle
        waitingBytes = 0
        if abruptly { context.close(promise: nil) } else { finishResponse(context) }
    }

    // MARK: Completions

    /// Lets completions that run on other threads come back to the connection.
    private var handle: Handle {
        Handle(connection: context.map { NIOLoopBound(Weak(connection: self), eventLoop: $0.eventLoop) })
    }

    private struct Weak {
        weak var connection: MCPConnection?
    }

    private struct Handle: Sendable {
        let connection: NIOLoopBound<Weak>?

        func onLoop(_ body: @escaping @Sendable (MCPConnection) -> Void) {
            guard let connection else { return }
            if connection.eventLoop.inEventLoop {
                if let connection = connection.value.connection { body(connection) }
            } else {
                onNextTick(body)
            }
        }

        func onNextTick(_ body: @escaping @Sendable (MCPConnection) -> Void) {
            guard let connection else { return }
            connection.eventLoop.execute {
                if let connection = connection.value.connection { body(connection) }
            }
        }
    }
}
