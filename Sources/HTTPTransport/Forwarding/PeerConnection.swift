import GatewayCore
import NIOCore
import NIOHTTP1

/// Takes what another instance answers. Called on the loop of both connections.
protocol PeerResponseReceiver: AnyObject {
    func peerResponded(_ head: HTTPResponseHead)
    func peerSent(_ bytes: ByteBuffer)
    /// That was all for now.
    func peerPaused()
    func peerEnded()
    /// - Parameter wasSent: the instance may have got the request.
    func peerFailed(wasSent: Bool, reason: String)
}

/// A connection to another instance: one request at a time.
final class PeerConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private weak var pool: PeerPool?
    private let address: InstanceAddress
    private var context: ChannelHandlerContext?
    private var receiver: (any PeerResponseReceiver)?
    private var isKeepAlive = true
    private var isReadPending = false
    private var isPaused = false
    /// When it became idle.
    private(set) var idleSince = NIODeadline.now()

    init(pool: PeerPool, address: InstanceAddress) {
        self.pool = pool
        self.address = address
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func send(_ head: HTTPRequestHead, body: ByteBuffer, to receiver: any PeerResponseReceiver) {
        guard let context, context.channel.isActive else {
            return receiver.peerFailed(wasSent: false, reason: "the connection was closed")
        }
        self.receiver = receiver
        isKeepAlive = true
        isPaused = false
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// The client is gone: the other instance learns so by the end of the connection.
    func cancel() {
        receiver = nil
        context?.close(promise: nil)
    }

    /// The client takes nothing at the moment.
    func pause() { isPaused = true }

    func resume() {
        isPaused = false
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { isReadPending = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // 100 Continue and its like are between the two instances.
            guard head.status.code >= 200 else { return }
            isKeepAlive = head.isKeepAlive
            receiver?.peerResponded(head)
        case .body(let bytes): receiver?.peerSent(bytes)
        case .end:
            let receiver = receiver
            self.receiver = nil
            idleSince = .now()
            // Whoever is next reads it again, however slow the client of this answer is.
            resume()
            if isKeepAlive, receiver != nil { pool?.putBack(self, address: address) } else { context.close(promise: nil) }
            receiver?.peerEnded()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.peerPaused()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) { fail("the connection ended") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail("\(error)")
        context.close(promise: nil)
    }

    private func fail(_ reason: String) {
        guard let receiver else { return }
        self.receiver = nil
        receiver.peerFailed(wasSent: true, reason: reason)
    }
}

extension PeerConnection: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
}
