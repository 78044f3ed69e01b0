import GatewayCore
import Logging
import MCPProtocol
import NIOCore
import ServerSentEvents

/// The stream of a client of HTTP+SSE (2024-11-05, basic/transports, "HTTP with SSE"): all that its server says, in one response.
///
/// The session's id is given out when the stream opens, and the session made by `initialize`: a connection that says nothing costs the store
/// nothing. It ends with the connection, at once: events of this transport have no ids, and a client that connects again gets another
/// endpoint, so nobody could come back to it.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; what is called from elsewhere hops there.
final class HTTPSSEStream: RegisteredConnection, @unchecked Sendable {
    enum State {
        /// Nothing but `initialize` is expected.
        case new
        /// `initialize` is being worked on; what follows waits.
        case initializing([(PostedMessages, PostedMessages.Completion)])
        case open(Session)
        case closed
    }

    let id: SessionID
    /// The one server of the endpoint; nil for all.
    let server: String?
    let eventLoop: any EventLoop
    let context: MCPServerContext
    private weak var connection: ClientConnection?
    var state = State.new
    /// Requests that are not answered.
    private var openRequests = 0
    /// The gateway drains: the stream ends with the last answer.
    private(set) var isLeaving = false
    var registryIndex: Int?
    private var lastWrite = NIODeadline.now()
    private var lastTouch = NIODeadline.now()
    private let openedAt = NIODeadline.now()

    init(id: SessionID, server: String?, connection: ClientConnection, eventLoop: any EventLoop, context: MCPServerContext) {
        self.id = id
        self.server = server
        self.connection = connection
        self.eventLoop = eventLoop
        self.context = context
    }

    var isOpen: Bool {
        if case .closed = state { false } else { true }
    }

    /// Writes the response's head and the event that names the endpoint. On the loop.
    func begin() {
        guard let connection else { return }
        let path = (server.map { .server($0) } ?? MCPEndpoint.all).path("/messages")
        var buffer = ByteBuffer()
        var endpoint = "\(path)?\(Self.sessionParameter)=\(id)"
        // Among several instances: what is posted to another one finds its way by it.
        if let instance = context.gateway.instanceName { endpoint += "&\(Self.instanceParameter)=\(instance)" }
        SSEEncoder.write(ByteBuffer(string: endpoint), id: nil, event: "endpoint", to: &buffer)
        // First: a write that fails closes the connection, and with it this stream, before it returns.
        context.streams.opened(self)
        context.loopContext(for: eventLoop).startedStreaming(self)
        connection.beginStream(first: buffer)
    }

    /// The query parameter that names the session.
    static let sessionParameter = "sessionId"
    /// The query parameter that names the instance that has the stream.
    static let instanceParameter = "instance"

    // MARK: Messages to the client

    /// Takes an event of a request. From any thread.
    func emit(_ event: ExchangeEvent) {
        onLoop {
            // A cancelled request gets no response (basic/utilities/cancellation).
            if case .cancelled = event {} else { self.write(event.message) }
            if event.isFinal { self.requestEnded() }
        }
    }

    func requestBegan() { openRequests += 1 }

    func requestEnded() {
        openRequests -= 1
        if isLeaving, openRequests == 0 { finish(abruptly: false) }
    }

    /// On the loop.
    func write(_ message: ByteBuffer) {
        guard isOpen, let connection else { return }
        var buffer = ByteBuffer()
        SSEEncoder.write(message, id: nil, to: &buffer)
        lastWrite = .now()
        guard !connection.writeStream(buffer, limit: context.settings.slowReaderBuffer) else { return }
        LimitHits.count(.slowReaderBuffer)
        context.logger.info("slow reader disconnected; its session ends", metadata: ["session": "\(id.shortened)"])
        finish(abruptly: true)
    }

    /// Says something if nothing was said for long. An open stream keeps its session alive: its client has no other way to.
    func keepAlive(now: NIODeadline) {
        guard isOpen, let connection else { return }
        if case .new = state, now - openedAt >= context.settings.idleTimeout {
            // It is nobody's session, so no limit of sessions bounds how many there are.
            LimitHits.count(.idleTimeout)
            return finish(abruptly: false)
        }
        if case .open = state, now - lastTouch >= TimeAmount(context.gateway.settings.sessionTTL / 4) {
            lastTouch = now
            context.gateway.session(id) { _ in }
        }
        guard now - lastWrite >= context.settings.keepAlive else { return }
        lastWrite = now
        if !connection.writeStream(SSEEncoder.keepAlive, limit: context.settings.slowReaderBuffer) { finish(abruptly: true) }
    }

    // MARK: The end

    /// The gateway drains: what was asked is answered, then the stream ends.
    func leave() {
        isLeaving = true
        if openRequests == 0 { finish(abruptly: false) }
    }

    private func finish(abruptly: Bool) {
        guard isOpen else { return }
        stop()
        connection?.endStream(abruptly: abruptly)
    }

    /// The connection is gone, or done with this stream: so is the session, with all that is in progress.
    func stop() {
        let state = state
        guard isOpen else { return }
        self.state = .closed
        context.streams.closed(self)
        context.loopContext(for: eventLoop).stoppedStreaming(self)
        switch state {
        case .open(let session): context.gateway.endSession(session) { _ in }
        case .initializing(let waiting):
            for (posted, completion) in waiting { refuse(posted, RefusedMessages(.noStream), completion) }
        case .new, .closed: break
        }
    }

    func onLoop(_ body: @escaping @Sendable () -> Void) {
        eventLoop.inEventLoop ? body() : eventLoop.execute(body)
    }
}

extension HTTPSSEStream: UnsolicitedSink {
    func send(_ message: ByteBuffer) { onLoop { self.write(message) } }

    /// It was deleted, or has expired.
    func sessionEnded() { onLoop { self.finish(abruptly: false) } }
}
