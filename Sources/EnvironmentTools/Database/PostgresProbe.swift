import NIOCore
import NIOPosix

/// The smallest exchange that only a PostgreSQL server understands: an SSLRequest and the one byte that answers it
/// (PostgreSQL documentation, 54.2.11 "SSL Session Encryption").
///
/// A server that offers TLS notes the hang-up after its answer in its log at most as "could not accept SSL connection".
enum PostgresProbe {
    struct Result: Sendable {
        /// `S`, `N`, `E` or what else came first; nil when the server hung up without a byte.
        var answer: UInt8?
        var connect: Duration
        var latency: Duration
    }

    /// Message length 8 and the request code 80877103.
    static let sslRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]

    /// - Throws: NIO's error when the server cannot be connected to or the connection fails; `CancellationError` when cancelled.
    static func run(
        host: String, port: Int, timeout: Duration, eventLoopGroup: any EventLoopGroup, clock: any Clock<Duration>
    ) async throws -> Result {
        try Task.checkCancellation()
        let eventLoop = eventLoopGroup.next()
        let answer = eventLoop.makePromise(of: UInt8?.self)
        let channel: any Channel
        let connect: Duration
        do {
            (channel, connect) = try await measure(clock) {
                try await ClientBootstrap(group: eventLoop)
                    .connectTimeout(TimeAmount(timeout))
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(FirstByte(answer: answer))
                        }
                    }
                    .connect(host: host, port: port).get()
            }
        } catch {
            answer.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            defer { channel.close(promise: nil) }
            let (byte, latency) = try await measure(clock) {
                try await channel.writeAndFlush(ByteBuffer(bytes: sslRequest)).get()
                return try await answer.futureResult.get()
            }
            return Result(answer: byte, connect: connect, latency: latency)
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private static func measure<Value: Sendable>(
        _ clock: some Clock<Duration>, _ body: () async throws -> Value
    ) async throws -> (Value, Duration) {
        let start = clock.now
        let value = try await body()
        return (value, start.duration(to: clock.now))
    }
}

/// Completes its promise with the first byte that arrives, or nil when none does.
private final class FirstByte: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: EventLoopPromise<UInt8?>

    init(answer: EventLoopPromise<UInt8?>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Completing a promise a second time does nothing, so what follows the first byte is ignored.
        answer.succeed(unwrapInboundIn(data).readableBytesView.first)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }
}
