import Logging
import NIOCore

/// What sentinels tell of their master.
enum SentinelNews {
    /// This server is about to be replaced: what is written to it from now on may be lost.
    case leaving(RedisAddress)
    /// This server is the master from now on.
    case switched(RedisAddress)
    /// The sentinel that is listened to from now on says that this is the master.
    case current(RedisAddress)
}

/// Listens at one sentinel for a change of the master. Confined to its event loop.
final class SentinelWatch {
    /// In the order of a failover. The first two come only from the sentinel that leads it, the last from all.
    private enum Event: String, CaseIterable {
        case willPromote = "+failover-state-send-slaveof-noone"
        case promoted = "+promoted-slave"
        case switched = "+switch-master"
    }

    let sentinel: RedisAddress
    private let finder: MasterFinder
    private let onNews: (SentinelNews) -> Void
    private var backoff: ReconnectBackoff
    private var connection: RedisConnection?
    private var timer: Scheduled<Void>?
    private var awaitsAddress = false
    private var unanswered = 0
    private var isStopped = false

    init(_ sentinel: RedisAddress, finder: MasterFinder, onNews: @escaping (SentinelNews) -> Void) {
        self.sentinel = sentinel
        self.finder = finder
        self.onNews = onNews
        let configuration = finder.configuration
        backoff = ReconnectBackoff(base: TimeAmount(configuration.reconnectBaseDelay), max: TimeAmount(configuration.reconnectMaxDelay))
    }

    func start() {
        guard !isStopped else { return }
        connection = RedisConnection.connect(
            to: sentinel, settings: RedisConnection.Settings(sentinel: finder.configuration), counters: finder.counters,
            eventLoop: finder.eventLoop
        ) { [weak self] result in
            switch result {
            case .success(let connection): self?.listen(connection)
            case .failure(let failure): self?.lost(failure)
            }
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        let connection = connection
        self.connection = nil
        connection?.owner = nil
        connection?.close(ConnectFailure(.unreachable, "not needed any more"))
    }

    private func listen(_ connection: RedisConnection) {
        guard !isStopped else { return }
        connection.owner = self
        self.connection = connection
        awaitsAddress = true
        unanswered = Event.allCases.count + 1
        // In this order no change is missed: what comes after the subscription is told, and what came before it is asked for.
        connection.write(RedisCommand("SUBSCRIBE", arguments: Event.allCases.map { .text($0.rawValue) }).bytes)
        if connection.isRESP3 { connection.write(RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", .text(finder.masterName)).bytes) }
        connection.flush()
        backoff.reset()
        finder.logger.debug("listening to a sentinel", metadata: ["address": "\(connection.address)"])
        // RESP2 takes no other commands on a connection that is subscribed.
        if !connection.isRESP3 { askElsewhere() }
    }

    private func askElsewhere() {
        awaitsAddress = false
        unanswered = Event.allCases.count
        _ = finder.find { [weak self] result in
            guard let self, !isStopped, case .success(let found) = result else { return }
            onNews(.current(found.master))
        }
    }

    private func received(_ event: Event, _ payload: String) {
        let name = finder.masterName
        switch event {
        case .willPromote:
            if let (_, master) = SentinelReply.replica(payload, of: name) { onNews(.leaving(master)) }
        case .promoted:
            if let (replica, _) = SentinelReply.replica(payload, of: name) { onNews(.switched(replica)) }
        case .switched:
            if let master = SentinelReply.newMaster(payload, of: name) { onNews(.switched(master)) }
        }
    }

    private func lost(_ failure: ConnectFailure) {
        connection = nil
        guard !isStopped else { return }
        finder.sentinels.demote(sentinel)
        finder.logger.debug("not listening to a sentinel", metadata: ["address": "\(sentinel)", "reason": "\(failure.description)"])
        timer = finder.eventLoop.run(in: backoff.next(fraction: .random(in: 0...1))) { [weak self] in self?.start() }
    }
}

extension SentinelWatch: RedisConnectionOwner {
    func connection(_ connection: RedisConnection, received value: RESPValue) {
        guard let parts = value.elements, let kind = parts.first?.text else {
            unanswered = max(0, unanswered - 1)
            return
        }
        switch (kind, parts.count) {
        case ("message", 3):
            guard let event = parts[1].text.flatMap(Event.init), let payload = parts[2].text else { return }
            received(event, payload)
        case ("subscribe", 3), ("pong", 2): unanswered = max(0, unanswered - 1)
        default:
            unanswered = max(0, unanswered - 1)
            guard awaitsAddress, let master = SentinelReply.masterAddress(value) else { return }
            awaitsAddress = false
            onNews(.current(master))
        }
    }

    func connectionDidRead(_ connection: RedisConnection) {}

    func connectionIsExpecting(_ connection: RedisConnection) -> Bool { unanswered > 0 }

    func connectionWantsPing(_ connection: RedisConnection) {
        unanswered += 1
        connection.write(RedisCommand("PING").bytes)
        connection.flush()
    }

    func connectionBecameWritable(_ connection: RedisConnection) {}

    func connectionClosed(_ connection: RedisConnection, _ failure: ConnectFailure) { lost(failure) }
}
