import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The client on its event loop: it moves commands between mailbox, queue and connection, and keeps a connection.
final class RedisClientCore {
    let configuration: RedisConfiguration
    let eventLoop: any EventLoop
    let shared: RedisClientShared
    var logger: Logger
    let connector: RedisConnector
    private var queue = CommandQueue()
    /// The connection that commands are sent on, or whose last answers are awaited.
    private var connection: RedisConnection?
    /// Whether nothing more is sent on the connection, because another takes its place.
    private var isLeaving = false
    /// Lines that were logged just now, and when.
    private var said: [String: NIODeadline] = [:]
    /// The one that takes its place, if it is ready already.
    private var successor: RedisConnection?
    private var reconnect: ReconnectLoop!
    private var watches: SentinelWatches?
    /// While the master is about to be replaced nothing is sent, so that nothing is acknowledged that the new master does not know.
    private var pause: Scheduled<Void>?
    private var expiry: (timer: Scheduled<Void>, at: NIODeadline)?
    private var handover: Scheduled<Void>?
    private var repeatTimer: Scheduled<Void>?
    private var lastAddress: RedisAddress?
    private var lostSince: ContinuousClock.Instant?
    private var shutdownPromise: EventLoopPromise<Void>?
    private var isShutDown = false
    private var subscriptions: [ObjectIdentifier: SubscriptionCore] = [:]

    init(configuration: RedisConfiguration, eventLoop: any EventLoop, shared: RedisClientShared, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.shared = shared
        self.logger = logger
        connector = RedisConnector(configuration: configuration, counters: shared.counters, eventLoop: eventLoop, logger: logger)
    }

    func start() {
        guard !isShutDown else { return }
        reconnect = ReconnectLoop(
            connector: connector, configuration: configuration, eventLoop: eventLoop,
            onConnected: { [weak self] in self?.connected($0) }, onFailure: { [weak self] in self?.failedToConnect($0) })
        reconnect.connect()
        guard let finder = connector.finder else { return }
        let watches = SentinelWatches(finder: finder) { [weak self] in self?.received($0) }
        self.watches = watches
        watches.extend()
    }

    // MARK: - Commands

    /// Takes what callers submitted since the last turn.
    func takeSubmitted() {
        let commands = shared.mailbox.withLockedValue { mailbox -> [PendingCommand] in
            mailbox.isScheduled = false
            defer { mailbox.commands = [] }
            return mailbox.commands
        }
        for command in commands { queue.append(command) }
        write()
        scheduleExpiry()
    }

    /// Writes what waits, as long as the socket takes it, and flushes once.
    private func write() {
        guard let connection, !isLeaving, pause == nil, queue.hasWaiting else { return }
        var batch = ByteBufferAllocator().buffer(capacity: 4096)
        while connection.isWritable, let bytes = queue.nextToSend() {
            if bytes.readableBytes < 16 * 1024 {
                batch.writeImmutableBuffer(bytes)
                guard batch.readableBytes >= 64 * 1024 else { continue }
                connection.write(batch)
                batch = ByteBufferAllocator().buffer(capacity: 4096)
            } else {
                // Large ones are not copied.
                if batch.readableBytes > 0 { connection.write(batch) }
                connection.write(bytes)
                batch = ByteBufferAllocator().buffer(capacity: 4096)
            }
        }
        if batch.readableBytes > 0 { connection.write(batch) }
        connection.flush()
    }

    private func complete(_ command: PendingCommand, _ result: Result<RESPValue, RedisError>) {
        guard let reply = command.reply else { return }
        shared.counters.release(bytes: command.bytes.readableBytes)
        if case .failure(let error) = result {
            switch error {
            case .server: shared.counters.increment(.serverErrors)
            case .timeout:
                shared.counters.increment(.timeouts)
                shared.counters.increment(.failures)
            default: shared.counters.increment(.failures)
            }
        }
        reply.complete(result)
    }

    /// Sees to it that commands end when their deadline passes, 10 ms late at most.
    private func scheduleExpiry(notBefore: NIODeadline = .uptimeNanoseconds(0)) {
        let at = max(queue.earliestDeadline, notBefore)
        guard queue.earliestDeadline < .distantFuture else { return }
        if let expiry {
            guard at < expiry.at else { return }
            expiry.timer.cancel()
        }
        let timer = eventLoop.run(at: at) { [weak self] in self?.expire() }
        expiry = (timer, at)
    }

    private func expire() {
        expiry = nil
        let now = NIODeadline.now()
        for (command, error) in queue.expire(now: now) { complete(command, .failure(error)) }
        scheduleExpiry(notBefore: now + .milliseconds(10))
        finishShutdown()
    }

    // MARK: - Connections

    private func connected(_ new: RedisConnection) {
        guard let connection else { return use(new) }
        guard connection.address != new.address || isLeaving, successor == nil else {
            return new.close(ConnectFailure(.unreachable, "not needed any more"))
        }
        new.owner = self
        successor = new
        leave("the master is \(new.address) now")
    }

    private func use(_ connection: RedisConnection) {
        connection.owner = self
        self.connection = connection
        isLeaving = false
        if let lastAddress {
            shared.counters.increment(.reconnects)
            if lastAddress != connection.address { shared.counters.increment(.failovers) }
        }
        lastAddress = connection.address
        lostSince = nil
        // The search for it may have brought sentinels that were not known.
        watches?.extend()
        say(
            .info, "connected to Redis", ["address": "\(connection.address)", "protocol": "\(connection.isRESP3 ? "RESP3" : "RESP2")"])
        change(to: .connected(to: connection.address))
        write()
        for subscription in subscriptions.values { subscription.follow(connection.address) }
    }

    private func received(_ news: SentinelNews) {
        switch news {
        case .leaving(let master):
            guard connection?.address == master, !isLeaving, pause == nil else { return }
            logger.info("waiting for a new master", metadata: ["address": "\(master)"])
            pause = eventLoop.run(in: TimeAmount(configuration.failoverPause)) { [weak self] in
                self?.endPause()
                self?.write()
            }
        case .switched(let master):
            // The connection may have been made to the new master before the sentinel told of it.
            guard connection?.address != master || isLeaving, successor?.address != master else { return }
            logger.info("the sentinels changed the master", metadata: ["address": "\(master)"])
            reconnect.connect(announced: master)
            leave("the master is \(master) now")
        case .current(let master):
            // The sentinel may be wrong, so the connection is kept until there is another. Without one, that is being looked for already.
            if let connection, connection.address != master { reconnect.connect() }
        }
    }

    private func endPause() {
        pause?.cancel()
        pause = nil
    }

    private func failedToConnect(_ failure: ConnectFailure) {
        shared.counters.increment(.connectFailures)
        if shutdownPromise != nil { return finishShutdown() }
        guard !shared.state.withLockedValue({ $0.state.isConnected }) else { return }
        reconnecting(failure.description)
        // At first it is the configuration that is wrong. Later it may be the server, which somebody may mend.
        guard lastAddress == nil, failure.kind == .refused else { return }
        for command in queue.takeUnsent() { complete(command, .failure(.refused(failure.description))) }
    }

    private func reconnecting(_ reason: String) {
        let since = lostSince ?? .now
        lostSince = since
        let state = RedisClientState.reconnecting(since: since, reason: reason)
        guard shared.state.withLockedValue({ $0.state }) != state else { return }
        say(.warning, "no connection to Redis", ["reason": "\(reason)"])
        change(to: state)
    }

    /// Sends nothing more on the connection, and replaces it as soon as what was sent is answered.
    private func leave(_ reason: String) {
        guard let connection, !isLeaving else { return }
        isLeaving = true
        say(.info, "leaving a Redis server", ["address": "\(connection.address)", "reason": "\(reason)"])
        guard queue.hasSent else { return connection.close(ConnectFailure(.notMaster, reason)) }
        handover = eventLoop.run(in: TimeAmount(configuration.handoverTimeout)) { [weak self] in
            self?.connection?.close(ConnectFailure(.notMaster, reason))
        }
    }

    /// Logs a line; one that was written in the last ten seconds at `debug`: a server that lets in and does not serve is left and tried for ever.
    private func say(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        let now = NIODeadline.now()
        said = said.filter { now - $0.value < .seconds(10) }
        let line = "\(message) \(metadata)"
        let isNew = said[line] == nil
        if isNew { said[line] = now }
        logger.log(level: isNew ? level : .debug, message, metadata: metadata)
    }

    private func change(to state: RedisClientState) {
        let handlers = shared.state.withLockedValue { shared in
            shared.state = state
            return shared.handlers
        }
        for handler in handlers { handler(state) }
    }

    // MARK: - Subscriptions

    func start(_ subscription: SubscriptionCore) {
        guard !isShutDown else { return subscription.end() }
        subscriptions[ObjectIdentifier(subscription)] = subscription
        subscription.start(connector: connector, configuration: configuration, logger: logger) { [weak self, weak subscription] in
            guard let subscription else { return }
            self?.subscriptions[ObjectIdentifier(subscription)] = nil
        }
    }

    // MARK: - Shutdown

    func shutdown(_ promise: EventLoopPromise<Void>) {
        if isShutDown { return promise.succeed() }
        if let shutdownPromise { return shutdownPromise.futureResult.cascade(to: promise) }
        takeSubmitted()
        shutdownPromise = promise
        finishShutdown()
    }

    private func finishShutdown() {
        guard let promise = shutdownPromise, connection == nil || queue.isEmpty else { return }
        shutdownPromise = nil
        isShutDown = true
        reconnect?.stop()
        watches?.stop()
        endPause()
        expiry?.timer.cancel()
        handover?.cancel()
        repeatTimer?.cancel()
        let connections = [connection, successor]
        connection = nil
        successor = nil
        for connection in connections {
            connection?.owner = nil
            connection?.close(ConnectFailure(.unreachable, "the client was shut down"))
        }
        for command in queue.takeUnsent() { complete(command, .failure(.shutdown)) }
        for subscription in subscriptions.values { subscription.end() }
        change(to: .shutDown)
        shared.state.withLockedValue { $0.handlers = [] }
        promise.succeed()
    }
}

extension RedisClientCore: RedisConnectionOwner {
    func connection(_ connection: RedisConnection, received value: RESPValue) {
        if case .push = value { return }
        guard connection === self.connection else { return }
        switch queue.answered(value) {
        case .complete(let command, let result): complete(command, result)
        case .none: break
        case .changeServer(let error):
            shared.counters.increment(.repeats)
            leave(String(error.code))
        case .again(let later):
            shared.counters.increment(.repeats)
            guard later else { break }
            guard repeatTimer == nil else { break }
            repeatTimer = eventLoop.run(in: TimeAmount(configuration.repeatDelay)) { [weak self] in
                self?.repeatTimer = nil
                self?.queue.releaseDelayed()
                self?.write()
            }
        case .unexpected: connection.close(ConnectFailure(.unreachable, "the server answers what was not asked"))
        }
    }

    func connectionDidRead(_ connection: RedisConnection) {
        guard connection === self.connection else { return }
        // Scripts that were not known are sent again from here.
        write()
        if isLeaving, !queue.hasSent { connection.close(ConnectFailure(.notMaster, "the server is no master any more, or does not serve")) }
        finishShutdown()
    }

    func connectionIsExpecting(_ connection: RedisConnection) -> Bool { connection === self.connection && queue.hasSent }

    func connectionWantsPing(_ connection: RedisConnection) {
        guard connection === self.connection, !isLeaving else { return }
        queue.prepend(RedisCommand("PING").bytes)
        write()
    }

    func connectionBecameWritable(_ connection: RedisConnection) { write() }

    func connectionClosed(_ closed: RedisConnection, _ failure: ConnectFailure) {
        if closed === successor {
            successor = nil
            return reconnect.connectionEnded(closed)
        }
        guard closed === connection else { return }
        connection = nil
        isLeaving = false
        endPause()
        handover?.cancel()
        repeatTimer?.cancel()
        repeatTimer = nil
        for command in queue.connectionLost() { complete(command, .failure(.connectionLost(wasSent: true))) }
        if let successor {
            self.successor = nil
            return use(successor)
        }
        if shutdownPromise != nil { return finishShutdown() }
        reconnecting(failure.description)
        reconnect.connectionEnded(closed)
    }
}
