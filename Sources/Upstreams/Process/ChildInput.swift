import GatewayCore
import Glibc
import NIOCore

/// What waits for a child's standard input: small messages are put together and written once per event-loop tick.
final class ChildInput: ChannelInboundHandler {
    typealias InboundIn = Never

    /// A message of at least this size is not copied; a piece put together from small ones is not much larger.
    private static let pieceBytes = 64 * 1024

    private let channel: any Channel
    /// The channel's; not to be used once it is closed.
    private let descriptor: Int32
    private let maxQueuedBytes: Int
    private let metrics: UpstreamMetrics?
    private let onBroken: () -> Void
    /// Sent, but not yet in the pipe.
    private(set) var queuedBytes = 0
    private var piece = ByteBuffer()
    private var flushScheduled = false
    private var closing = false

    init(channel: any Channel, descriptor: Int32, maxQueuedBytes: Int, metrics: UpstreamMetrics?, onBroken: @escaping () -> Void) {
        self.channel = channel
        self.descriptor = descriptor
        self.maxQueuedBytes = maxQueuedBytes
        self.metrics = metrics
        self.onBroken = onBroken
    }

    /// Queues `message` and a newline.
    func send(_ message: ByteBuffer) -> LinkAdmission {
        let length = message.readableBytes
        guard !closing else { return .closed }
        guard queuedBytes + length + 1 <= maxQueuedBytes else {
            LimitHits.count(.maxQueuedInputBytes)
            return .queueFull
        }
        queueChanged(by: length + 1)
        if length >= Self.pieceBytes {
            writePiece()
            write(message)
        } else {
            piece.writeImmutableBuffer(message)
        }
        piece.writeInteger(UInt8(ascii: "\n"))
        if piece.readableBytes >= Self.pieceBytes {
            writePiece()
        }
        if !flushScheduled {
            flushScheduled = true
            let input = NIOLoopBound(self, eventLoop: channel.eventLoop)
            channel.eventLoop.execute { input.value.flush() }
        }
        return .sent
    }

    /// Whether the child has yet to read something that was sent to it.
    var isUnread: Bool {
        guard queuedBytes == 0 else { return true }
        guard !closing, channel.isActive else { return false }
        var bytes: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &bytes) == 0 && bytes > 0
    }

    /// Closes the pipe once everything queued is written.
    func close() {
        guard !closing else { return }
        closing = true
        if queuedBytes == 0 {
            channel.close(promise: nil)
        }
    }

    /// Closes the pipe and drops what is queued.
    func abandon() {
        closing = true
        queueChanged(by: -piece.readableBytes)
        piece = ByteBuffer()
        channel.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let expected = closing
        closing = true
        if !expected {
            onBroken()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func queueChanged(by bytes: Int) {
        queuedBytes += bytes
        metrics?.inputQueueChanged(by: bytes)
    }

    private func flush() {
        flushScheduled = false
        writePiece()
        channel.flush()
    }

    private func writePiece() {
        guard piece.readableBytes > 0 else { return }
        let full = piece
        piece = ByteBuffer()
        write(full)
    }

    private func write(_ buffer: ByteBuffer) {
        let length = buffer.readableBytes
        let input = NIOLoopBound(self, eventLoop: channel.eventLoop)
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { _ in input.value.written(length) }
        channel.write(buffer, promise: promise)
    }

    private func written(_ length: Int) {
        queueChanged(by: -length)
        if closing, queuedBytes == 0 {
            channel.close(promise: nil)
        }
    }
}
