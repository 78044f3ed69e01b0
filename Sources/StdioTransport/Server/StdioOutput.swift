import GatewayCore
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Writes messages as lines, from any thread.
final class StdioOutput: ExchangeSink, UnsolicitedSink {
    private let channel: any Channel
    private let open = NIOLockedValueBox<(count: Int, whenIdle: (@Sendable () -> Void)?)>((0, nil))

    init(channel: any Channel) { self.channel = channel }

    func send(_ message: ByteBuffer) {
        var line = message
        line.replaceLineBreaks()
        line.writeInteger(UInt8(0x0A))
        channel.writeAndFlush(line, promise: nil)
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        // A cancelled request gets no response (basic/utilities/cancellation).
        if case .cancelled = event {} else { send(event.message) }
        if event.isFinal { exchangeEnded() }
    }

    func exchangeBegan() { open.withLockedValue { $0.count += 1 } }

    func exchangeEnded() {
        let action = open.withLockedValue { open -> (@Sendable () -> Void)? in
            open.count -= 1
            guard open.count == 0 else { return nil }
            defer { open.whenIdle = nil }
            return open.whenIdle
        }
        action?()
    }

    /// Runs `body` on the loop once no request is open.
    func whenIdle(on eventLoop: any EventLoop, _ body: @escaping @Sendable () -> Void) {
        let isIdle = open.withLockedValue { open in
            if open.count > 0 { open.whenIdle = { eventLoop.execute(body) } }
            return open.count == 0
        }
        if isIdle { eventLoop.execute(body) }
    }
}
