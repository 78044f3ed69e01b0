import NIOConcurrencyHelpers
public import NIOCore

/// Channels that are listened to, on a connection of their own. Ends with ``cancel()`` or with the client, not when it is dropped.
public final class RedisSubscription: Sendable {
    private let eventLoop: any EventLoop
    private let core: NIOLoopBoundBox<SubscriptionCore>
    private let current: NIOLockedValueBox<SubscriptionState>

    fileprivate init(core: NIOLoopBoundBox<SubscriptionCore>, eventLoop: any EventLoop, state: NIOLockedValueBox<SubscriptionState>) {
        self.eventLoop = eventLoop
        self.core = core
        current = state
    }

    /// The newest state.
    public var state: SubscriptionState { current.withLockedValue { $0 } }

    /// Listens to more channels. The future succeeds when the server has confirmed all of them, a reconnect later if need be, and fails with
    /// ``RedisError/shutdown`` when the subscription ends before.
    @discardableResult
    public func add(_ channels: [String]) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        eventLoop.execute { [core] in core.value.add(channels, promise) }
        return promise.futureResult
    }

    /// Listens to some channels no more. Messages that are on their way are dropped.
    public func remove(_ channels: [String]) {
        eventLoop.execute { [core] in core.value.remove(channels) }
    }

    /// Ends it; the last state is `.ended`.
    public func cancel() {
        eventLoop.execute { [core] in core.value.end() }
    }
}

extension RedisClient {
    /// Listens to channels, on a connection of its own that is made again when it is lost.
    /// - Parameters:
    ///   - channels: may be empty; ``RedisSubscription/add(_:)`` adds more.
    ///   - onMessage: channel and payload, in the order of the server, on ``eventLoop``.
    ///   - onState: every change, on ``eventLoop``, in order with the messages.
    public func subscribe(
        _ channels: [String], onMessage: @escaping @Sendable (String, ByteBuffer) -> Void,
        onState: @escaping @Sendable (SubscriptionState) -> Void = { _ in }
    ) -> RedisSubscription {
        let state = NIOLockedValueBox(SubscriptionState.interrupted(reason: "not connected yet"))
        let core = SubscriptionCore(
            channels: channels, eventLoop: eventLoop, counters: shared.counters, state: state, onMessage: onMessage, onState: onState)
        let box = NIOLoopBoundBox.makeBoxSendingValue(core, eventLoop: eventLoop)
        withCore { $0.start(box.value) }
        return RedisSubscription(core: box, eventLoop: eventLoop, state: state)
    }
}
