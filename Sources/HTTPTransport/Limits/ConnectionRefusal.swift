import NIOCore

/// The whole pipeline of a connection beyond `limits.maxConnections`: says so and closes.
final class ConnectionRefusal: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long the client may take to read the answer.
    private static let patience = TimeAmount.seconds(2)

    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func channelActive(context: ChannelHandlerContext) {
        let body = #"{"error":{"code":"overloaded","message":"\#(limit) connections are open (limits.maxConnections); try again"}}"#
        let answer = RawResponse.bytes(
            status: "503 Service Unavailable", body: ByteBuffer(string: body), headers: [("Retry-After", "1")])
        let channel = context.channel
        let timer = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        // Only the sending side: a close with unread bytes would take the answer with it.
        context.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Responses outside the HTTP codec, for connections without a request.
enum RawResponse {
    static func bytes(status: String, body: ByteBuffer, headers: [(String, String)] = []) -> ByteBuffer {
        var text = "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.readableBytes)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        text += "Connection: close\r\n\r\n"
        var bytes = ByteBuffer(string: text)
        bytes.writeImmutableBuffer(body)
        return bytes
    }
}
