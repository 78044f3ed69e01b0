import AsyncHTTPClient
import Logging
import MCPHTTPClient
import MCPProtocol
import NIOCore

/// Performs what a ``BridgeSession`` decides. Everything happens on the event loop.
final class BridgeShell: StreamableHTTPClientDelegate {
    /// How long a client that does not read may hold up the end.
    private static let flushLimit = TimeAmount.seconds(2)

    private struct State {
        var session: BridgeSession
        var framer: LineFramer
        var client: StreamableHTTPClient?
        var channel: (any Channel)?
        var ticks: RepeatedTask?
        var retry: Scheduled<Void>?
        var drain: Scheduled<Void>?
        var hasInputEnded = false
        var isFinishing = false
    }

    /// Completes when the session is over and nothing more will be written.
    let finished: EventLoopFuture<Void>

    private let configuration: BridgeConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state: NIOLoopBoundBox<State>
    private let finishing: EventLoopPromise<Void>

    init(configuration: BridgeConfiguration, httpClient: HTTPClient, eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        self.finishing = eventLoop.makePromise()
        self.finished = finishing.futureResult
        let limits = BridgeSession.Limits(
            waitLimit: configuration.waitLimit, maxHeldMessages: configuration.maxHeldMessages, maxHeldBytes: configuration.maxHeldBytes,
            maxResends: configuration.maxResends, maxSubscriptions: configuration.maxSubscriptions,
            gateway: configuration.client.displayURL)
        self.state = NIOLoopBoundBox.makeBoxSendingValue(
            State(session: BridgeSession(limits: limits), framer: LineFramer(maxBytes: configuration.maxMessageBytes)), eventLoop: eventLoop
        )
        let client = StreamableHTTPClient(
            configuration: configuration.client, httpClient: httpClient, eventLoop: eventLoop, logger: logger, delegate: self)
        eventLoop.execute { self.state.value.client = client }
    }

    // MARK: The stdio channel

    func started(_ channel: any Channel) {
        state.value.channel = channel
        state.value.ticks = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            self.perform(self.state.value.session.tick(now: .now()))
        }
    }

    func read(_ bytes: ByteBuffer) {
        guard !state.value.hasInputEnded else { return }
        state.value.framer.append(bytes)
        while let line = state.value.framer.next() { take(line) }
    }

    private func take(_ line: LineFramer.Line) {
        switch line {
        case .line(let bytes): perform(state.value.session.received(line: bytes, now: .now()))
        case .tooLong:
            let text = "a message is longer than the limit of \(configuration.maxMessageBytes) bytes"
            logger.warning("\(text)")
            write(RPCError(code: .invalidRequest, message: "Invalid Request: \(text)").response(id: nil))
        }
    }

    func inputEnded() {
        guard !state.value.hasInputEnded else { return }
        if let line = state.value.framer.rest() { take(line) }
        state.value.hasInputEnded = true
        state.value.drain = eventLoop.scheduleTask(in: configuration.drainLimit) {
            self.logger.warning("the gateway has not answered everything; ending nevertheless")
            self.finish()
        }
        perform(state.value.session.inputEnded())
    }

    func writabilityChanged(_ isWritable: Bool) {
        if isWritable { state.value.client?.resumeReading() } else { state.value.client?.pauseReading() }
    }

    func channelFailed(_ error: any Error) {
        logger.error("reading from or writing to the client failed", metadata: ["error": "\(error)"])
    }

    func channelClosed() {
        finish()
    }

    // MARK: The gateway

    func client(_ client: StreamableHTTPClient, received message: ByteBuffer) {
        perform(state.value.session.received(fromGateway: message, now: .now()))
    }

    func client(_ client: StreamableHTTPClient, requestFailed token: UInt64, _ error: StreamableHTTPError) {
        perform(state.value.session.failed(token: token, error, now: .now()))
    }

    func clientSessionEnded(_ client: StreamableHTTPClient) {
        perform(state.value.session.sessionEnded())
    }

    // MARK: Actions

    private func perform(_ actions: [BridgeAction]) {
        guard !state.value.isFinishing else { return }
        for action in actions {
            switch action {
            case .send(let message, let token): state.value.client?.send(message, token: token)
            case .cancel(let token): state.value.client?.cancel(token: token)
            case .setParameterHeaders(let headers): state.value.client?.setParameterHeaders(headers)
            case .write(let message): write(message)
            case .initialized(let revision, let opens):
                state.value.client?.initialized(revision: revision, openListeningStream: opens)
            case .scheduleRetry(let attempt): scheduleRetry(attempt)
            case .finish: finish()
            case .log(let text): logger.notice("\(text)", metadata: ["gateway": "\(configuration.client.displayURL)"])
            }
        }
    }

    private func write(_ message: ByteBuffer) {
        guard let channel = state.value.channel else { return }
        var line = channel.allocator.buffer(capacity: message.readableBytes + 1)
        line.writeImmutableBuffer(message)
        line.writeInteger(UInt8(ascii: "\n"))
        channel.writeAndFlush(line, promise: nil)
    }

    private func scheduleRetry(_ attempt: Int) {
        let doubled = Double(configuration.initialRetryDelay.nanoseconds) * Double(1 << min(attempt, 20))
        let delay = min(doubled * Double.random(in: 1...1.2), Double(configuration.maxRetryDelay.nanoseconds))
        state.value.retry = eventLoop.scheduleTask(in: .nanoseconds(Int64(delay))) {
            self.perform(self.state.value.session.retry(now: .now()))
        }
    }

    private func finish() {
        guard !state.value.isFinishing else { return }
        state.value.isFinishing = true
        state.value.ticks?.cancel()
        state.value.retry?.cancel()
        state.value.drain?.cancel()
        guard let client = state.value.client else { return finishing.succeed() }
        client.close(terminateSession: true).whenComplete { _ in
            // Everything written before has been flushed when this empty write is done.
            guard let channel = self.state.value.channel, channel.isActive else { return self.finishing.succeed() }
            let bound = self.eventLoop.scheduleTask(in: Self.flushLimit) { self.finishing.succeed() }
            channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
                bound.cancel()
                self.finishing.succeed()
            }
        }
    }
}
