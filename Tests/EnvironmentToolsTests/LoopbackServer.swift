import NIOCore
import NIOHTTP1
import NIOPosix

/// A real listener that does what a test says with each connection.
struct LoopbackServer: Sendable {
    let channel: any Channel

    var port: Int { channel.localAddress?.port ?? 0 }

    func stop() async { try? await channel.close() }

    /// Answers the first bytes of each TCP connection with `answer`; nil stays silent, an empty answer hangs up.
    static func tcp(answer: [UInt8]?) async throws -> Self {
        try await Self(
            channel: bootstrap { channel in
                try channel.pipeline.syncOperations.addHandler(CannedAnswer(answer: answer))
            }.bind(host: "127.0.0.1", port: 0).get())
    }

    /// Serves `answers` by request target over a Unix domain socket; nil never answers, other targets are 404.
    static func http(socketPath: String, answers: [String: (HTTPResponseStatus, String)?]) async throws -> Self {
        try await Self(
            channel: bootstrap { channel in
                try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                try channel.pipeline.syncOperations.addHandler(CannedHTTP(answers: answers))
            }.bind(unixDomainSocketPath: socketPath).get())
    }

    private static func bootstrap(_ configure: @escaping @Sendable (any Channel) throws -> Void) -> ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try configure(channel) }
        }
    }
}

private final class CannedAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let answer: [UInt8]?

    init(answer: [UInt8]?) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let answer else { return }
        if answer.isEmpty {
            context.close(promise: nil)
        } else if unwrapInboundIn(data) == ByteBuffer(bytes: PostgresSSLRequest.bytes) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)), promise: nil)
        }
    }
}

/// The SSLRequest of the PostgreSQL documentation, spelt here again so that the probe cannot agree with itself.
enum PostgresSSLRequest {
    static let bytes: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]
}

private final class CannedHTTP: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let answers: [String: (HTTPResponseStatus, String)?]

    init(answers: [String: (HTTPResponseStatus, String)?]) { self.answers = answers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let request) = unwrapInboundIn(data) else { return }
        guard let answer = answers[request.uri] ?? (.notFound, #"{"message":"page not found"}"#) else { return }
        let headers: HTTPHeaders = ["Content-Type": "application/json", "Content-Length": "\(answer.1.utf8.count)"]
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: answer.0, headers: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.1)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
