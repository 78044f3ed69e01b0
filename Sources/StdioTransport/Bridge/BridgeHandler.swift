import NIOCore

/// Hands what happens on the stdio channel to the shell.
final class BridgeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let shell: BridgeShell

    init(shell: BridgeShell) {
        self.shell = shell
    }

    func channelActive(context: ChannelHandlerContext) {
        shell.started(context.channel)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        shell.read(unwrapInboundIn(data))
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        shell.writabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { shell.inputEnded() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shell.channelFailed(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        shell.channelClosed()
        context.fireChannelInactive()
    }
}
