import NIOConcurrencyHelpers
public import NIOCore
public import NIOHTTP1
import NIOPosix

/// An HTTP/1.1 server on a free port of 127.0.0.1 whose answers a test writes itself.
public final class ScriptedServer: Sendable {
    public struct Request: Sendable {
        public let method: HTTPMethod
        public let uri: String
        public let headers: HTTPHeaders
        public let body: String
        public let connection: ObjectIdentifier
    }

    /// Writes the answer to one request.
    public struct Reply: Sendable {
        fileprivate let channel: any Channel

        public func json(_ text: String, status: HTTPResponseStatus = .ok, headers: [(String, String)] = []) {
            head(status, [("Content-Type", "application/json")] + headers, length: text.utf8.count)
            if !text.isEmpty { write(text) }
            end()
        }

        public func empty(_ status: HTTPResponseStatus) {
            head(status, [], length: 0)
            end()
        }

        public func events(_ text: String = "", headers: [(String, String)] = []) {
            head(.ok, [("Content-Type", "text/event-stream; charset=utf-8")] + headers, length: nil)
            if !text.isEmpty { write(text) }
        }

        public func head(_ status: HTTPResponseStatus, _ headers: [(String, String)], length: Int?) {
            var all = HTTPHeaders(headers)
            if let length { all.add(name: "Content-Length", value: "\(length)") }
            channel.writeAndFlush(
                HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status, headers: all)), promise: nil)
        }

        public func write(_ text: String) {
            channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))), promise: nil)
        }

        public func end() { channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil) }

        /// Cuts the connection in the middle.
        public func cut() { channel.close(promise: nil) }
    }

    public typealias Script = @Sendable (_ request: Request, _ number: Int, _ reply: Reply) -> Void

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        private let server: ScriptedServer
        private var head: HTTPRequestHead?
        private var body = ByteBuffer()

        init(_ server: ScriptedServer) { self.server = server }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                self.head = head
                body.clear()
            case .body(let part): body.writeImmutableBuffer(part)
            case .end:
                guard let head else { return }
                let request = Request(
                    method: head.method, uri: head.uri, headers: head.headers, body: String(buffer: body),
                    connection: ObjectIdentifier(context.channel))
                server.handle(request, Reply(channel: context.channel))
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let script: Script
    private let recorded = NIOLockedValueBox<[Request]>([])
    private let channel = NIOLockedValueBox<(any Channel)?>(nil)

    public init(_ script: @escaping Script) { self.script = script }

    public var requests: [Request] { recorded.withLockedValue { $0 } }

    /// Starts on a port, 0 for a free one, and returns it.
    @discardableResult
    public func start(on group: any EventLoopGroup, port: Int = 0) async throws -> Int {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.channel.withLockedValue { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    public func stop() async throws { try await channel.withLockedValue { $0 }?.close() }

    private func handle(_ request: Request, _ reply: Reply) {
        let number = recorded.withLockedValue { requests in
            requests.append(request)
            return requests.count
        }
        script(request, number, reply)
    }
}
