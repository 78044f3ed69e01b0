import DequeModule
import GatewayCore
import Logging
import MCPProtocol
import NIOCore

/// Splits lines, runs the session of a legacy client and passes on the requests of a modern one. All state is confined to the channel's loop.
final class StdioServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case new
        /// `initialize` is being worked on; what follows waits.
        case initializing
        case open(Session)
        case closed
    }

    private let gateway: Gateway
    private let maxLineBytes: Int
    private let logger: Logger
    private let output: StdioOutput
    private let modern: ModernRequests
    private var state = State.new
    private var pending = ByteBuffer()
    private var waiting = Deque<Message>()

    init(gateway: Gateway, maxLineBytes: Int, logger: Logger, channel: any Channel) {
        self.gateway = gateway
        self.maxLineBytes = maxLineBytes
        self.logger = logger
        output = StdioOutput(channel: channel)
        modern = ModernRequests(gateway: gateway, output: output, eventLoop: channel.eventLoop)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        pending.writeBuffer(&part)
        while let end = pending.readableBytesView.firstIndex(of: 0x0A) {
            let length = end - pending.readerIndex
            if let line = pending.readSlice(length: length), line.readableBytesView.contains(where: { $0 > 0x20 }) {
                received(line, context)
            }
            pending.moveReaderIndex(forwardBy: 1)
        }
        pending.discardReadBytes()
        if pending.readableBytes > maxLineBytes {
            logger.error("line too long on standard input", metadata: ["limit": "\(maxLineBytes)"])
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        // What was asked is still answered; then the other end is closed too. Listening has no answer to wait for.
        modern.stopListening()
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        output.whenIdle(on: context.eventLoop) {
            let (handler, context) = loopBound.value
            handler.end()
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func end() {
        if case .open(let session) = state { gateway.endSession(session) { _ in } }
        state = .closed
        modern.cancelAll()
    }

    private func received(_ line: ByteBuffer, _ context: ChannelHandlerContext) {
        do throws(MessageError) {
            switch try Message.parsePayload(line) {
            case .single(let message): dispatch(message, context)
            case .batch(let elements):
                for element in elements {
                    switch element {
                    case .success(let message): dispatch(message, context)
                    case .failure(let error): output.send(error.rpcError.response(id: error.id))
                    }
                }
            }
        } catch {
            output.send(error.rpcError.response(id: error.id))
        }
    }

    private func dispatch(_ message: Message, _ context: ChannelHandlerContext) {
        if case .closed = state { return }
        if modern.take(message) { return }
        switch state {
        case .new: begin(message, context)
        case .initializing:
            // A client that does not wait for the answer is served all the same, in order.
            if waiting.count < 1024 { waiting.append(message) }
        case .open(let session):
            if message.kind == .request {
                output.exchangeBegan()
                gateway.handle(message, in: session, sink: output)
            } else {
                gateway.accept(message, in: session)
            }
        case .closed: break
        }
    }

    private func begin(_ message: Message, _ context: ChannelHandlerContext) {
        guard message.kind == .request else { return }
        guard message.methodName == .initialize else {
            if message.methodName == .ping, let id = message.idBytes {
                return output.send(MessageWriter.response(id: id, result: ByteBuffer(string: "{}")))
            }
            return output.send(
                RPCError(
                    code: .invalidRequest,
                    message: "send initialize first, or the _meta of \(Revision.latestModern.rawValue) with each request"
                ).response(id: message.idBytes))
        }
        state = .initializing
        output.exchangeBegan()
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        gateway.createSession(message, server: nil) { result in
            loopBound.eventLoop.execute {
                let (handler, context) = loopBound.value
                handler.began(result, request: message, context)
            }
        }
    }

    private func began(
        _ result: Result<(session: Session, response: ByteBuffer), SessionCreationError>, request: Message, _ context: ChannelHandlerContext
    ) {
        defer { output.exchangeEnded() }
        guard case .initializing = state else { return }
        switch result {
        case .success(let (session, response)):
            state = .open(session)
            output.send(response)
            session.setUnsolicitedSink(output)
        case .failure(.invalid(let error)), .failure(.unavailable(let error)), .failure(.tooMany(_, let error)),
            .failure(.tooFast(let error, _)):
            state = .new
            output.send(error.response(id: request.idBytes))
        }
        while let message = waiting.popFirst() { dispatch(message, context) }
    }
}
