import NIOCore
import NIOHTTP1
import NIOPosix

/// HTTP/1.1 `GET` over a Unix domain socket, one connection per request. Has no timeout of its own: cancel the task.
struct UnixSocketHTTPClient: Sendable {
    struct Response: Sendable {
        var status: Int
        var body: ByteBuffer
    }

    enum Failure: Error, CustomStringConvertible {
        case bodyTooLarge(limit: Int)
        case closedEarly
        case notHTTP

        var description: String {
            switch self {
            case .bodyTooLarge(let limit): "the answer is larger than \(limit) bytes"
            case .closedEarly: "the connection was closed before the answer was complete"
            case .notHTTP: "the answer is not HTTP"
            }
        }
    }

    let socketPath: String
    let eventLoopGroup: any EventLoopGroup
    /// The most bytes of a response's body that are held.
    let maximumBodyBytes: Int

    /// - Throws: `Failure`, or NIO's error when the socket cannot be connected to; `CancellationError` when cancelled.
    func get(_ path: String) async throws -> Response {
        try Task.checkCancellation()
        let eventLoop = eventLoopGroup.next()
        let response = eventLoop.makePromise(of: Response.self)
        let limit = maximumBodyBytes
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(
                            ResponseCollector(path: path, maximumBodyBytes: limit, response: response))
                    }
                }
                .connect(unixDomainSocketPath: socketPath).get()
        } catch {
            response.fail(error)
            throw error
        }
        return try await withTaskCancellationHandler {
            defer { channel.close(promise: nil) }
            return try await response.futureResult.get()
        } onCancel: {
            // Closing fails the promise, see `channelInactive`.
            channel.close(promise: nil)
        }
    }
}

/// Sends one request when the connection is up, and collects its response.
private final class ResponseCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let path: String
    private let maximumBodyBytes: Int
    private let response: EventLoopPromise<UnixSocketHTTPClient.Response>
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()

    init(path: String, maximumBodyBytes: Int, response: EventLoopPromise<UnixSocketHTTPClient.Response>) {
        self.path = path
        self.maximumBodyBytes = maximumBodyBytes
        self.response = response
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["Host": "docker", "Accept": "application/json", "Connection": "close"]
        let request = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
        case .body(var part):
            guard body.readableBytes + part.readableBytes <= maximumBodyBytes else {
                response.fail(UnixSocketHTTPClient.Failure.bodyTooLarge(limit: maximumBodyBytes))
                context.close(promise: nil)
                return
            }
            body.writeBuffer(&part)
        case .end:
            guard let head else { return }
            // Completing a promise a second time does nothing, so later events need no flag.
            response.succeed(.init(status: Int(head.status.code), body: body))
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        response.fail(UnixSocketHTTPClient.Failure.closedEarly)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        response.fail(error is HTTPParserError ? UnixSocketHTTPClient.Failure.notHTTP : error)
        context.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // A channel that never became active is not told that it is inactive.
        response.fail(UnixSocketHTTPClient.Failure.closedEarly)
    }
}
