import DequeModule
public import GatewayCore
public import Logging
import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore
import NIOPosix

/// Serves one client over standard input and output: one JSON-RPC message per line (basic/transports, stdio).
public final class StdioServer: Sendable {
    private let gateway: Gateway
    private let maxLineBytes: Int
    private let logger: Logger

    /// - Parameter maxLineBytes: a longer line ends the connection.
    public init(gateway: Gateway, maxLineBytes: Int, logger: Logger) {
        self.gateway = gateway
        self.maxLineBytes = maxLineBytes
        self.logger = logger
    }

    /// Serves until standard input ends.
    ///
    /// - Parameters:
    ///   - input: a descriptor that the server takes over.
    ///   - output: the same.
    public func run(input: CInt, output: CInt, on eventLoopGroup: any EventLoopGroup) async throws {
        let channel = try await NIOPipeBootstrap(group: eventLoopGroup)
            .channelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .takingOwnershipOfDescriptors(input: input, output: output) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        StdioServerHandler(gateway: self.gateway, maxLineBytes: self.maxLineBytes, logger: self.logger, channel: channel))
                    return channel
                }
            }
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// Splits lines and runs the session. All state is confined to the channel's loop.
private final class StdioServerHandler: ChannelInboundHandler {
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
    private var state = State.new
    private var pending = ByteBuffer()
    private var waiting = Deque<Message>()

    init(gateway: Gateway, maxLineBytes: Int, logger: Logger, channel: any Channel) {
        self.gateway = gateway
        self.maxLineBytes = maxLineBytes
        self.logger = logger
        output = StdioOutput(channel: channel)
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
        // What was asked is still answered; then the other end is closed too.
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
            return output.send(RPCError(code: .invalidRequest, message: "send initialize first").response(id: message.idBytes))
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

/// Writes messages as lines, from any thread.
private final class StdioOutput: ExchangeSink, UnsolicitedSink {
    private let channel: any Channel
    private let open = NIOLockedValueBox<(count: Int, whenIdle: (@Sendable () -> Void)?)>((0, nil))

    init(channel: any Channel) { self.channel = channel }

    func send(_ message: ByteBuffer) {
        var line = message
        line.replaceLineBreaks()
        line.writeInteger(UInt8(0x0A))
        channel.writeAndFlush(line, promise: nil)
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        // A cancelled request gets no response (basic/utilities/cancellation).
        if case .cancelled = event {} else { send(event.message) }
        if event.isFinal { exchangeEnded() }
    }

    func exchangeBegan() { open.withLockedValue { $0.count += 1 } }

    func exchangeEnded() {
        let action = open.withLockedValue { open -> (@Sendable () -> Void)? in
            open.count -= 1
            guard open.count == 0 else { return nil }
            defer { open.whenIdle = nil }
            return open.whenIdle
        }
        action?()
    }

    /// Runs `body` on the loop once no request is open.
    func whenIdle(on eventLoop: any EventLoop, _ body: @escaping @Sendable () -> Void) {
        let isIdle = open.withLockedValue { open in
            if open.count > 0 { open.whenIdle = { eventLoop.execute(body) } }
            return open.count == 0
        }
        if isIdle { eventLoop.execute(body) }
    }
}
