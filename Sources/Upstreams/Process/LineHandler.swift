import NIOCore

/// Turns what a child writes to its standard output into lines.
final class LineHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Event {
        case line(ByteBuffer)
        case lineTooLong
        case closed
    }

    private var splitter: LineSplitter
    private var discarding = false
    private let onEvent: (Event) -> Void

    init(maxLineBytes: Int, onEvent: @escaping (Event) -> Void) {
        self.splitter = LineSplitter(maxLineBytes: maxLineBytes)
        self.onEvent = onEvent
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Reading on keeps the child from blocking on a full pipe while it is being ended.
        guard !discarding else { return }
        if splitter.feed(unwrapInboundIn(data), line: { onEvent(.line($0)) }) == .lineTooLong {
            discarding = true
            onEvent(.lineTooLong)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !discarding {
            splitter.finish { onEvent(.line($0)) }
        }
        onEvent(.closed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
