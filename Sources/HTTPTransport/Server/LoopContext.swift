import GatewayCore
import NIOCore

/// What connections of one event loop share: who waits for a first event, who streams. Two timers serve all of them. Confined to the loop.
final class LoopContext {
    private let eventLoop: any EventLoop
    private let settings: HTTPTransportSettings
    private var waiting = ConnectionRegistry<PostResponder>()
    private var streaming = ConnectionRegistry<SSEWriter>()
    private var waitTimer: RepeatedTask?
    private var keepAliveTimer: RepeatedTask?

    init(eventLoop: any EventLoop, settings: HTTPTransportSettings) {
        self.eventLoop = eventLoop
        self.settings = settings
    }

    /// A POST has no event yet.
    func startedWaiting(_ responder: PostResponder) {
        waiting.add(responder)
        guard waitTimer == nil else { return }
        let tick = max(settings.firstEventWait / 4, .milliseconds(5))
        let context = NIOLoopBound(self, eventLoop: eventLoop)
        waitTimer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in context.value.checkWaiting() }
    }

    func stoppedWaiting(_ responder: PostResponder) { waiting.remove(responder) }

    private func checkWaiting() {
        guard !waiting.members.isEmpty else {
            waitTimer?.cancel()
            waitTimer = nil
            return
        }
        let now = NIODeadline.now()
        for responder in waiting.members where now - responder.startedAt >= settings.firstEventWait { responder.waitIsOver() }
    }

    func startedStreaming(_ writer: SSEWriter) {
        streaming.add(writer)
        guard keepAliveTimer == nil else { return }
        let context = NIOLoopBound(self, eventLoop: eventLoop)
        let tick = max(settings.keepAlive / 4, .milliseconds(10))
        keepAliveTimer = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in context.value.keepAlive() }
    }

    func stoppedStreaming(_ writer: SSEWriter) { streaming.remove(writer) }

    func askListenersToReconnect() {
        for writer in streaming.members where writer.stream.kind == .listening { writer.askToReconnect() }
    }

    private func keepAlive() {
        guard !streaming.members.isEmpty else {
            keepAliveTimer?.cancel()
            keepAliveTimer = nil
            return
        }
        let now = NIODeadline.now()
        for writer in streaming.members where now - writer.lastWrite >= settings.keepAlive { writer.keepAlive() }
    }
}

extension TimeAmount {
    fileprivate static func / (amount: TimeAmount, divisor: Int64) -> TimeAmount { .nanoseconds(amount.nanoseconds / divisor) }
}
