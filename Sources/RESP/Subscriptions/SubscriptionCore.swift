import Logging
import NIOConcurrencyHelpers
import NIOCore

/// A subscription on its event loop: it keeps a connection and everything wanted subscribed on it.
final class SubscriptionCore {
    private let eventLoop: any EventLoop
    private let counters: RedisCounters
    private let state: NIOLockedValueBox<SubscriptionState>
    private let onMessage: @Sendable (String, ByteBuffer) -> Void
    private let onState: @Sendable (SubscriptionState) -> Void
    private var logger: Logger?
    private var channels = ChannelSet()
    /// Who waits for the confirmation of a channel.
    private var waiters: [String: [EventLoopPromise<Void>]] = [:]
    private var connection: RedisConnection?
    private var reconnect: ReconnectLoop?
    private var pingsDue = 0
    /// Whether it was subscribed once, so that whatever interrupts it loses messages.
    private var hasSubscribed = false
    private var isSubscribed = false
    private var isEnded = false
    private var onEnd: (() -> Void)?

    init(
        channels: [String], eventLoop: any EventLoop, counters: RedisCounters, state: NIOLockedValueBox<SubscriptionState>,
        onMessage: @escaping @Sendable (String, ByteBuffer) -> Void, onState: @escaping @Sendable (SubscriptionState) -> Void
    ) {
        self.eventLoop = eventLoop
        self.counters = counters
        self.state = state
        self.onMessage = onMessage
        self.onState = onState
        _ = self.channels.add(channels)
    }

    func start(connector: RedisConnector, configuration: RedisConfiguration, logger: Logger, onEnd: @escaping () -> Void) {
        guard !isEnded else { return onEnd() }
        self.onEnd = onEnd
        self.logger = logger
        let reconnect = ReconnectLoop(
            connector: connector, configuration: configuration, eventLoop: eventLoop,
            onConnected: { [weak self] in self?.connected($0) }, onFailure: { [weak self] in self?.interrupted($0.description) })
        self.reconnect = reconnect
        reconnect.connect()
    }

    // MARK: - Channels

    func add(_ added: [String], _ promise: EventLoopPromise<Void>) {
        guard !isEnded else { return promise.fail(RedisError.shutdown) }
        subscribe(to: channels.add(added))
        let unconfirmed = added.filter { !channels.isConfirmed($0) }
        let confirmations = unconfirmed.map { channel in
            let confirmation = eventLoop.makePromise(of: Void.self)
            waiters[channel, default: []].append(confirmation)
            return confirmation.futureResult
        }
        EventLoopFuture.andAllSucceed(confirmations, on: eventLoop).cascade(to: promise)
    }

    func remove(_ removed: [String]) {
        let gone = channels.remove(removed)
        for channel in gone { waiters.removeValue(forKey: channel)?.forEach { $0.fail(RedisError.shutdown) } }
        guard let connection, !gone.isEmpty else { return }
        connection.write(RedisCommand("UNSUBSCRIBE", arguments: gone.map { .text($0) }).bytes)
        connection.flush()
        becomeSubscribed()
    }

    private func subscribe(to added: some Collection<String>) {
        guard let connection, !added.isEmpty else { return }
        channels.sent(added)
        connection.write(RedisCommand("SUBSCRIBE", arguments: added.map { .text($0) }).bytes)
        connection.flush()
    }

    // MARK: - Connection

    private func connected(_ connection: RedisConnection) {
        connection.owner = self
        self.connection = connection
        pingsDue = 0
        subscribe(to: channels.wanted)
        becomeSubscribed()
    }

    /// Commands go to this server now: so does the subscription.
    func follow(_ server: RedisAddress) {
        if let connection {
            guard connection.address != server else { return }
            connection.close(ConnectFailure(.notMaster, "the master is \(server) now"))
        }
        reconnect?.connect(announced: server)
    }

    private func becomeSubscribed() {
        guard connection != nil, !isSubscribed, channels.isConfirmed else { return }
        isSubscribed = true
        change(to: .subscribed(isResumed: hasSubscribed))
        hasSubscribed = true
    }

    private func interrupted(_ reason: String) {
        guard !isEnded else { return }
        isSubscribed = false
        let state = SubscriptionState.interrupted(reason: reason)
        guard self.state.withLockedValue({ $0 }) != state else { return }
        logger?.debug("a subscription is interrupted", metadata: ["reason": "\(reason)"])
        change(to: state)
    }

    private func change(to state: SubscriptionState) {
        self.state.withLockedValue { $0 = state }
        onState(state)
    }

    func end() {
        guard !isEnded else { return }
        isEnded = true
        reconnect?.stop()
        let connection = connection
        self.connection = nil
        connection?.owner = nil
        connection?.close(ConnectFailure(.unreachable, "the subscription ended"))
        let waiters = waiters
        self.waiters = [:]
        for promises in waiters.values { promises.forEach { $0.fail(RedisError.shutdown) } }
        change(to: .ended)
        onEnd?()
        onEnd = nil
    }
}

extension SubscriptionCore: RedisConnectionOwner {
    func connection(_ connection: RedisConnection, received value: RESPValue) {
        // RESP2 has no pushes: there everything comes as an array, answers to PING too.
        guard let parts = value.elements, let kind = parts.first?.text else {
            guard case .error(let error) = value else {
                pingsDue = max(0, pingsDue - 1)
                return
            }
            return connection.close(ConnectFailure(.notReady, "the server answered \(error.message)"))
        }
        switch kind {
        case "message":
            guard parts.count == 3, let channel = parts[1].text, let payload = parts[2].bytes, channels.isWanted(channel) else { return }
            counters.increment(.messages)
            onMessage(channel, payload)
        case "subscribe":
            guard parts.count == 3, let channel = parts[1].text, channels.confirm(channel) else { return }
            waiters.removeValue(forKey: channel)?.forEach { $0.succeed() }
            becomeSubscribed()
        case "pong": pingsDue = max(0, pingsDue - 1)
        default: break
        }
    }

    func connectionDidRead(_ connection: RedisConnection) {}

    func connectionIsExpecting(_ connection: RedisConnection) -> Bool { pingsDue > 0 || channels.isWaiting }

    func connectionWantsPing(_ connection: RedisConnection) {
        pingsDue += 1
        connection.write(RedisCommand("PING").bytes)
        connection.flush()
    }

    func connectionBecameWritable(_ connection: RedisConnection) {}

    func connectionClosed(_ connection: RedisConnection, _ failure: ConnectFailure) {
        guard connection === self.connection else { return }
        self.connection = nil
        channels.connectionLost()
        counters.increment(.subscriptionLosses)
        interrupted(failure.description)
        reconnect?.connectionEnded(connection)
    }
}
