import GatewayCore
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Logs what a child writes to its standard error and keeps the last lines of it.
final class StderrHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let lineBytes: Int
    private let tailLines: Int
    private let tail: NIOLockedValueBox<[String]>
    private let metrics: UpstreamMetrics?
    private let logger: Logger
    /// Values of the configured environment: children print what they are given, but log, errors and clients must not see it.
    private let secrets: [String]
    private let onClosed: () -> Void
    private var throttle: StderrThrottle
    private var line = ByteBuffer()
    /// The line is longer than what is kept of it.
    private var truncated = false
    private var report: Scheduled<Void>?

    /// Shorter values than this are no secrets: replacing them would make the log unreadable.
    private static let minimumSecretLength = 6

    init(
        limits: ChildLimits, tail: NIOLockedValueBox<[String]>, environment: [String: String], metrics: UpstreamMetrics?,
        logger: Logger,
        onClosed: @escaping () -> Void
    ) {
        secrets = environment.values.filter { $0.utf8.count >= Self.minimumSecretLength }.sorted { $0.utf8.count > $1.utf8.count }
        self.lineBytes = max(1, limits.stderrLineBytes)
        self.tailLines = limits.stderrTailLines
        self.tail = tail
        self.metrics = metrics
        self.logger = logger
        self.onClosed = onClosed
        self.throttle = StderrThrottle(linesPerSecond: limits.stderrLinesPerSecond)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        while bytes.readableBytes > 0 {
            let length = bytes.withUnsafeReadableBytes { pointer -> Int? in
                guard let base = pointer.baseAddress, let found = memchr(base, Int32(UInt8(ascii: "\n")), pointer.count) else {
                    return nil
                }
                return UnsafeRawPointer(found) - base
            }
            append(bytes.readSlice(length: length ?? bytes.readableBytes))
            guard length != nil else { return }
            bytes.moveReaderIndex(forwardBy: 1)
            endLine(context.eventLoop)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        endLine(context.eventLoop)
        report?.cancel()
        logSuppressed()
        onClosed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func append(_ bytes: ByteBuffer?) {
        guard var bytes, bytes.readableBytes > 0 else { return }
        let room = lineBytes - line.readableBytes
        truncated = truncated || bytes.readableBytes > room
        if var piece = bytes.readSlice(length: min(room, bytes.readableBytes)) {
            line.writeBuffer(&piece)
        }
    }

    private func endLine(_ eventLoop: any EventLoop) {
        // Not every child writes UTF-8: what is not becomes U+FFFD.
        var text = String(decoding: line.readableBytesView, as: UTF8.self)
        line.clear()
        if text.last == "\r" || text.last == "\r\n" {
            text.removeLast()
        }
        if truncated {
            text += "…"
            truncated = false
        }
        guard !text.isEmpty else { return }
        for secret in secrets { text = text.replacing(secret, with: "[redacted]") }
        tail.withLockedValue { tail in
            if tail.count >= tailLines, !tail.isEmpty {
                tail.removeFirst(tail.count - tailLines + 1)
            }
            if tailLines > 0 {
                tail.append(text)
            }
        }
        switch throttle.line(at: .now()) {
        case .log:
            logger.info("\(text)")
        case .suppressAndReport(let deadline):
            let handler = NIOLoopBound(self, eventLoop: eventLoop)
            report = eventLoop.scheduleTask(deadline: deadline) { handler.value.logSuppressed() }
        case .suppress:
            break
        }
    }

    private func logSuppressed() {
        let count = throttle.takeSuppressed()
        if count > 0 {
            metrics?.droppedStderrLines(count)
            logger.info("\(count) lines of standard error suppressed")
        }
    }
}
