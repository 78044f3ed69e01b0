import GatewayCore
import NIOCore

/// What connections of one event loop share: who waits for a first event, who streams. Two timers serve all of them. Confined to the loop.
final class LoopContext {
    private let eventLoop: any EventLoop
    private let settings: HTTPTransportSettings
    private let load: RequestLoad
    let metrics = RequestMetrics()
    /// Connections to other instances.
    let peers: PeerPool
    private var connections = ConnectionRegistry<ClientConnection>()
    private var waiting = ConnectionRegistry<PostResponder>()
    private var streaming = ConnectionRegistry<SSEWriter>()
    private var waitingModern = ConnectionRegistry<ModernResponder>()
    private var streamingModern = ConnectionRegistry<ModernResponder>()
    private var serving = ConnectionRegistry<HTTPSSEStream>()
    private var deadlineTimer: RepeatedTask?
    private var waitTimer: RepeatedTask?
    private var keepAliveTimer: RepeatedTask?

    /// The next request's number: loops count in steps of their number, so that no two give out the same.
    private var nextRequest: UInt64
    private let requestStep: UInt64

    init(eventLoop: any EventLoop, settings: HTTPTransportSettings, load: RequestLoad, index: Int, count: Int) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.load = load
        peers = PeerPool(eventLoop: eventLoop, peerIdleTimeout: settings.idleTimeout)
        nextRequest = UInt64(index)
        requestStep = UInt64(max(1, count))
    }

    func takeRequestNumber() -> UInt64 {
        nextRequest &+= requestStep
        return nextRequest
    }

    // MARK: Late clients

    func opened(_ connection: ClientConnection) {
        connections.add(connection)
        guard deadlineTimer == nil else { return }
        let shortest = min(settings.headerTimeout, settings.bodyTimeout, settings.idleTimeout, settings.writeTimeout)
        let tick = min(max(shortest / 4, .milliseconds(10)), .seconds(1))
        let context = NIOLoopBound(self, eventLoop: eventLoop)
        deadlineTimer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in context.value.checkDeadlines() }
    }

    func closed(_ connection: ClientConnection) { connections.remove(connection) }

    /// Closes every connection.
    func closeAll() {
        for connection in connections.members { connection.context?.close(promise: nil) }
        peers.closeAll()
    }

    private func checkDeadlines() {
        guard !connections.members.isEmpty else {
            deadlineTimer?.cancel()
            deadlineTimer = nil
            return
        }
        let now = NIODeadline.now()
        // A copy: a connection that is closed leaves the registry.
        for connection in connections.members where connection.isLate(now: now) { connection.cutOff(now: now) }
        peers.closeIdle(now: now)
        for connection in connections.members { connection.checkForwardTarget() }
    }

    // MARK: Answers

    /// A POST has no event yet.
    func startedWaiting(_ responder: PostResponder) {
        waiting.add(responder)
        watchWaiting()
    }

    func startedWaiting(_ responder: ModernResponder) {
        waitingModern.add(responder)
        watchWaiting()
    }

    private func watchWaiting() {
        guard waitTimer == nil else { return }
        let tick = max(settings.firstEventWait / 4, .milliseconds(5))
        let context = NIOLoopBound(self, eventLoop: eventLoop)
        waitTimer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in context.value.checkWaiting() }
    }

    func stoppedWaiting(_ responder: PostResponder) { waiting.remove(responder) }

    func stoppedWaiting(_ responder: ModernResponder) { waitingModern.remove(responder) }

    private func checkWaiting() {
        guard !waiting.members.isEmpty || !waitingModern.members.isEmpty else {
            waitTimer?.cancel()
            waitTimer = nil
            return
        }
        let now = NIODeadline.now()
        for responder in waiting.members where now - responder.startedAt >= settings.firstEventWait { responder.waitIsOver() }
        for responder in waitingModern.members where now - responder.startedAt >= settings.firstEventWait { responder.waitIsOver() }
    }

    func startedStreaming(_ writer: SSEWriter) { begin(writer, in: &streaming) }

    func startedStreaming(_ responder: ModernResponder) { begin(responder, in: &streamingModern) }

    func startedStreaming(_ stream: HTTPSSEStream) { begin(stream, in: &serving) }

    private func begin<Stream>(_ stream: Stream, in registry: inout ConnectionRegistry<Stream>) {
        guard stream.registryIndex == nil else { return }
        registry.add(stream)
        load.openStream()
        watchStreaming()
    }

    private func watchStreaming() {
        guard keepAliveTimer == nil else { return }
        let context = NIOLoopBound(self, eventLoop: eventLoop)
        let tick = max(min(settings.keepAlive, settings.eventsKeepAlive) / 4, .milliseconds(10))
        keepAliveTimer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in context.value.keepAlive() }
    }

    func stoppedStreaming(_ writer: SSEWriter) { end(writer, in: &streaming) }

    func stoppedStreaming(_ responder: ModernResponder) { end(responder, in: &streamingModern) }

    func stoppedStreaming(_ stream: HTTPSSEStream) { end(stream, in: &serving) }

    private func end<Stream>(_ stream: Stream, in registry: inout ConnectionRegistry<Stream>) {
        guard stream.registryIndex != nil else { return }
        registry.remove(stream)
        load.closeStream()
    }

    /// Modern requests are of no session, so the gateway does not know them: their time to drain is over.
    func abandonModern() {
        for responder in waitingModern.members + streamingModern.members { responder.abandon() }
    }

    func askListenersToReconnect() {
        // A copy: a stream that ends leaves the registry.
        for stream in serving.members { stream.leave() }
        for writer in streaming.members where writer.stream.kind != .exchange { writer.askToReconnect() }
        for connection in connections.members { connection.endForwardedListening() }
    }

    private func keepAlive() {
        guard !streaming.members.isEmpty || !streamingModern.members.isEmpty || !serving.members.isEmpty else {
            keepAliveTimer?.cancel()
            keepAliveTimer = nil
            return
        }
        let now = NIODeadline.now()
        for writer in streaming.members { writer.keepAlive(now: now) }
        for responder in streamingModern.members { responder.keepAlive(now: now) }
        for stream in serving.members { stream.keepAlive(now: now) }
    }
}

extension TimeAmount {
    fileprivate static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount { .nanoseconds(amount.nanoseconds / divisor) }
}
