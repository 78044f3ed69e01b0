import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import NIOHTTP1
import ServerSentEvents

/// One SSE response on a connection: the subscriber of a stream.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; the subscriber functions hop there.
final class SSEWriter: StreamSubscriber, RegisteredConnection, @unchecked Sendable {
    let eventLoop: any EventLoop
    let stream: EventStream
    /// The position the client has.
    let startsAfter: UInt64
    private let style: SSEStyle
    private weak var connection: ClientConnection?
    private let context: MCPServerContext
    private var isOpen = true
    private var hasBegun = false
    /// What the stream said before the head was written: a log that is at home on this loop may complete the opening of the stream and its first
    /// event in one go.
    private var untilBegun: [() -> Void] = []
    var registryIndex: Int?
    private(set) var lastWrite = NIODeadline.now()

    init(
        stream: EventStream, startsAfter: UInt64, style: SSEStyle, connection: ClientConnection, eventLoop: any EventLoop,
        context: MCPServerContext
    ) {
        self.style = style
        self.stream = stream
        self.startsAfter = startsAfter
        self.connection = connection
        self.eventLoop = eventLoop
        self.context = context
    }

    /// Writes the response head and what the stream begins with. On the loop. False when the client has gone meanwhile: the writer must not
    /// be attached to its stream then.
    ///
    /// - Parameter isLogged: the log has the stream; of one that it has not no position may be given out, for nobody could resume from it.
    @discardableResult
    func begin(isLogged: Bool = true) -> Bool {
        guard isOpen, let connection else { return false }
        var buffer = ByteBuffer()
        style.writeBeginning(
            id: isLogged ? SSEEventID(stream: stream.id.value, sequence: startsAfter) : nil, retry: context.settings.retry, to: &buffer)
        lastWrite = .now()
        // First: a write that fails closes the connection, and with it this writer, before it returns.
        context.loopContext(for: eventLoop).startedStreaming(self)
        connection.beginStream(first: buffer)
        hasBegun = true
        let waiting = untilBegun
        untilBegun.removeAll()
        for body in waiting { body() }
        return isOpen
    }

    func deliver(_ event: StreamEvent, of stream: EventStream, isLast: Bool, isReplay: Bool) {
        onLoop {
            guard self.isOpen, let connection = self.connection else { return }
            var buffer = ByteBuffer()
            let id = event.isLogged ? SSEEventID(stream: stream.id.value, sequence: event.sequence) : nil
            SSEEncoder.write(event.message, id: id, event: self.style.type(of: event.message), to: &buffer)
            self.lastWrite = .now()
            if connection.writeStream(buffer, limit: isReplay ? .max : self.context.settings.slowReaderBuffer) {
                if isLast { self.finish(abruptly: false) }
            } else {
                LimitHits.count(.slowReaderBuffer)
                // The log has everything: the client may come back for it at its own pace.
                self.context.logger.info(
                    "slow reader disconnected", metadata: ["session": "\(stream.session.shortened)", "stream": "\(stream.id)"])
                self.finish(abruptly: true)
            }
        }
    }

    func whenDrained(_ body: @escaping @Sendable () -> Void) {
        onLoop {
            guard self.isOpen, let connection = self.connection else { return }
            connection.whenDrained(body)
        }
    }

    func streamEnded(_ stream: EventStream) { onLoop { self.finish(abruptly: false) } }

    func streamDetached(_ stream: EventStream) { onLoop { self.finish(abruptly: true) } }

    /// Says something if nothing was said for long.
    func keepAlive(now: NIODeadline) {
        guard isOpen, let connection, let bytes = style.keepAlive(lastWrite: lastWrite, now: now, settings: context.settings) else {
            return
        }
        lastWrite = now
        if !connection.writeStream(bytes, limit: context.settings.slowReaderBuffer) { finish(abruptly: true) }
    }

    /// The gateway drains: the client is told to come back. The stream itself goes on.
    func askToReconnect() {
        guard isOpen, let connection else { return }
        var buffer = ByteBuffer()
        SSEEncoder.writeRetry(context.settings.retry, to: &buffer)
        _ = connection.writeStream(buffer, limit: context.settings.slowReaderBuffer)
        stop()
        connection.endStream(abruptly: false)
    }

    private func finish(abruptly: Bool) {
        guard isOpen else { return }
        stop()
        connection?.endStream(abruptly: abruptly)
    }

    /// The connection is gone, or done with this stream.
    func stop() {
        guard isOpen else { return }
        isOpen = false
        untilBegun.removeAll()
        stream.detach(self)
        context.loopContext(for: eventLoop).stoppedStreaming(self)
    }

    /// On the loop, and not before the stream has begun.
    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.onLoop(body) } }
        if hasBegun { body() } else if isOpen { untilBegun.append(body) }
    }
}
