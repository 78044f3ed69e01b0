public import GatewayCore
public import Logging
import NIOConcurrencyHelpers
public import NIOCore
public import NIOPosix
public import RESP

/// Sessions, events, ownership, signals and the directory of instances in Redis: the stores of gateways that share their sessions.
///
/// A session has a home, the instance that may write for it, and every write carries a fencing token that Redis checks. What this instance is
/// the home of it also remembers, so that it goes on while Redis is away and nothing acknowledged is lost when Redis comes back without its
/// data. Events are not kept: while Redis is away they are refused.
///
/// Completions run in the order of the calls, on one event loop. A call takes one round trip at most. Calls wait within `commandTimeout` for Redis;
/// once nothing has succeeded for that long they fail at once (``StoreError/Kind/unavailable``) until Redis is back.
public final class RedisStore: Sendable {
    /// What a call tells when it is done; runs on the store's event loop and must not block.
    public typealias Completion<Value> = @Sendable (Result<Value, StoreError>) -> Void

    /// This life of this instance.
    public let identity: InstanceIdentity

    struct State {
        var isClosed = false
        var heartbeats: RepeatedTask?
        var onHomeLost: (@Sendable (SessionID) -> Void)?
        var onReplaced: (@Sendable () -> Void)?
        /// Why Redis refused the newest write.
        var refusal: String?
        /// Why the newest event was not taken.
        var eventRefusal: String?
        /// The connection broke: what Redis has must be looked at.
        var mustVerify = false
        /// Redis came back without its data.
        var lostData = false
        /// Something was acknowledged that Redis does not have.
        var hasBacklog = false
        /// Events whose append has no answer: they went to clients without an id, so they must not be in the log too.
        var doubtfulEvents: [StreamKey: Set<UInt64>] = [:]
        var isRecovering = false
        /// When Redis was certain to have what it had acknowledged, but for what a replica may lack.
        var trustedAt = NIODeadline.now()
        var mustRecoverAgain = false
    }

    let client: RedisClient
    let instance: RedisStoreInstance
    let limits: EventLogLimits
    let options: RedisStoreOptions
    let secret: ClusterSecret
    let clock: GatewayClock
    let agreed: AgreedClock
    let logger: Logger
    let unreadableLine: SparseLine
    let keys: StoreKeys
    let line = CompletionLine()
    let lanes = StreamLanes()
    let counters: StoreCounters
    let sessions: SessionMemory
    let recent: RecentEvents
    let directory: InstanceRegistry
    let signals: Signals
    let breaker: NIOLockedValueBox<CircuitBreaker>
    let state = NIOLockedValueBox(State())
    /// Tests set the time at which events are appended; nil is Redis's.
    let eventClock = NIOLockedValueBox<WallTime?>(nil)

    /// Connects, and registers this instance.
    ///
    /// - Parameters:
    ///   - redis: where Redis is.
    ///   - instance: how this instance appears to the others.
    ///   - limits: how much of each stream is kept.
    ///   - clock: tells which remembered sessions have expired.
    /// - Throws: ``RedisStoreError``, when Redis does not answer within `openTimeout`, refuses, or the cluster has another secret.
    public static func open(
        redis: RedisConfiguration, instance: RedisStoreInstance, limits: EventLogLimits = EventLogLimits(),
        options: RedisStoreOptions = RedisStoreOptions(), eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        clock: GatewayClock = .system, logger: Logger
    ) async throws(RedisStoreError) -> RedisStore {
        var given: ClusterSecret?
        if let secret = options.secret { given = try ClusterSecret(given: secret) }
        let client = RedisClient(configuration: redis, eventLoopGroup: eventLoopGroup, logger: logger)
        do throws(RedisStoreError) {
            let life = try await draw(client, instance, options, given)
            let store = RedisStore(client, life, instance, limits, options, clock, logger)
            try await store.start()
            return store
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// One life of an instance, and what its cluster shares.
    private struct Life {
        let identity: InstanceIdentity
        let dataID: String
        let secret: ClusterSecret
        /// Another life of that name was heard of just now.
        let hasTwin: Bool
    }

    private static func draw(
        _ client: RedisClient, _ instance: RedisStoreInstance, _ options: RedisStoreOptions, _ given: ClusterSecret?
    ) async throws(RedisStoreError) -> Life {
        let keys = StoreKeys(prefix: options.keyPrefix)
        let dataID = randomID()
        let own = given ?? ClusterSecret()
        // Redis may have lost it a moment ago: then an instance that has it in memory tells it with its next heartbeat. Whoever made another one
        // would refuse the ids of all sessions.
        let mayMake = ContinuousClock.now + (given == nil ? options.secretWait : .zero)
        var reply: RESPValue
        repeat {
            let secret = ContinuousClock.now >= mayMake ? own.stored : ""
            let arguments: [RedisArgument] = [
                .text(options.keyPrefix), .integer(options.lease.milliseconds), .text(dataID), .text(secret),
                .integer(options.recoveryTime.milliseconds),
            ]
            // A number that is drawn and not heard of is none too many.
            reply = try await untilAnswered(client, options) { left in
                try await client.run(
                    Scripts.draw, keys: [keys.cluster, keys.instance(instance.name)], arguments: arguments, timeout: left)
            }
            guard reply.word == "secretless" else { break }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { throw .unexpected(detail: "the start was cancelled") }
        } while true
        guard let parts = reply.elements, parts.count == 5, let incarnation = parts[1].text.flatMap({ UInt64($0) }),
            let dataID = parts[2].text, let stored = parts[3].text
        else { throw .unexpected(detail: "reply to the registration: \(reply.kind)") }
        return Life(
            identity: InstanceIdentity(name: instance.name, incarnation: incarnation), dataID: dataID,
            secret: try ClusterSecret(stored: stored, given: given), hasTwin: parts[4].text == "1")
    }

    /// Asks again while the connection breaks, as long as `openTimeout` lasts.
    private static func untilAnswered<Value>(
        _ client: RedisClient, _ options: RedisStoreOptions, _ ask: (_ left: Duration) async throws -> Value
    ) async throws(RedisStoreError) -> Value {
        let deadline = ContinuousClock.now + options.openTimeout
        while true {
            do {
                return try await ask(deadline - .now)
            } catch {
                if case .connectionLost? = error as? RedisError, .now < deadline { continue }
                throw openError(error, client, options)
            }
        }
    }

    private static func openError(_ error: any Error, _ client: RedisClient, _ options: RedisStoreOptions) -> RedisStoreError {
        let server = client.configuration.description
        guard let error = error as? RedisError else { return .unexpected(detail: "\(error)") }
        if case .refused(let reason) = error { return .refused(server: server, detail: "\(reason); check store.redis.url") }
        if case .server(let answer) = error, !error.isOutage { return .refused(server: server, detail: answer.message) }
        let seconds = Double(options.openTimeout.milliseconds) / 1000
        let state = client.state
        return .unreachable(server: server, seconds: seconds, detail: state.isConnected ? error.description : state.description)
    }

    private init(
        _ client: RedisClient, _ life: Life, _ instance: RedisStoreInstance, _ limits: EventLogLimits, _ options: RedisStoreOptions,
        _ clock: GatewayClock, _ logger: Logger
    ) {
        self.client = client
        self.instance = instance
        self.limits = limits
        self.options = options
        self.clock = clock
        agreed = AgreedClock(own: clock)
        self.logger = logger
        unreadableLine = SparseLine(logger, .error, "Redis has something that is not of this gateway under the gateway's keys")
        identity = life.identity
        secret = life.secret
        keys = StoreKeys(prefix: options.keyPrefix)
        let counters = StoreCounters()
        self.counters = counters
        sessions = SessionMemory(
            maxSessions: options.backlogSessions, maxWrites: options.backlogWrites, maxDeletions: options.recentDeletions)
        recent = RecentEvents(maxBytes: options.recentEventBytes)
        directory = InstanceRegistry(lease: TimeAmount(options.lease), dataID: life.dataID)
        signals = Signals(own: life.identity, channel: keys.bus, client: client, counters: counters)
        breaker = NIOLockedValueBox(CircuitBreaker(patience: TimeAmount(client.configuration.commandTimeout), now: .now()))
        if life.hasTwin {
            logger.warning(
                "an instance of this name was heard of just now: if it still runs, give each its own gateway.instanceID",
                metadata: ["instance": "\(instance.name)"])
        }
    }

    private func start() async throws(RedisStoreError) {
        try await Self.untilAnswered(client, options) { _ in
            let sentAt = NIODeadline.now()
            heard(try await future(heartbeat()).get(), sentAt: sentAt)
        }
        signals.subscribe()
        client.onStateChange { [weak self] in self?.changed($0) }
        let interval = TimeAmount(options.heartbeat)
        let task = client.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in self?.beat() }
        state.withLockedValue { $0.heartbeats = task }
        logger.info("joined the cluster", metadata: ["instance": "\(identity)", "redis": "\(client.configuration)"])
    }

    private func changed(_ new: RedisClientState) {
        switch new {
        case .reconnecting: state.withLockedValue { $0.mustVerify = true }
        case .connected:
            if state.withLockedValue({ $0.mustVerify }) { beat() }
        case .connecting, .shutDown: break
        }
    }

    /// Leaves the directory, waits for what was asked for and closes the connections. More calls do nothing.
    public func close() async {
        let heartbeats = state.withLockedValue { state -> RepeatedTask?? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            return .some(state.heartbeats)
        }
        guard let heartbeats else { return }
        heartbeats?.cancel()
        signals.unsubscribe()
        await flush()
        // It may be back without having been heard of yet.
        if hasUnwritten, (try? await writeAgain(all: false)) != nil {
            _ = breaker.withLockedValue { $0.recovered(at: .now()) }
        }
        let backlog = statistics
        if hasUnwritten {
            logger.error(
                "Redis is away at the end: what was kept in memory is lost",
                metadata: ["sessions": "\(backlog.backlogSessions)", "writes": "\(backlog.backlogWrites)"])
        }
        if !breaker.withLockedValue({ $0.isOpen }) {
            let leave = StoreCall.script(
                Scripts.leave, keys: [keys.instance(identity.name), keys.instances],
                arguments: [.text(identity.name), .text(String(identity.incarnation))])
            _ = try? await future(leave).get()
        }
        await client.shutdown()
    }

    /// Whether something was acknowledged that Redis does not have.
    private var hasUnwritten: Bool { sessions.state.withLockedValue { $0.backlogSessions + $0.backlogWrites > 0 } }

    /// The secret that all instances of the cluster share, at least 32 bytes: session ids and other keys derive from it.
    public func signingKey() -> [UInt8] { secret.bytes }

    var isClosed: Bool { state.withLockedValue { $0.isClosed } }

    /// Names a set of data, so that its loss is noticed.
    static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
    }
}
