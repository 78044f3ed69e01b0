import Logging
import NIOCore

/// Asks the sentinels, one after the other, where the master is. Confined to its event loop.
final class MasterFinder {
    /// Where the master is, and who said so.
    struct Found {
        let master: RedisAddress
        let sentinel: RedisAddress
    }

    let masterName: String
    let configuration: RedisConfiguration
    let counters: RedisCounters
    let eventLoop: any EventLoop
    let logger: Logger
    var sentinels: SentinelList

    init(
        sentinels: [RedisAddress], masterName: String, configuration: RedisConfiguration, counters: RedisCounters, eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.masterName = masterName
        self.configuration = configuration
        self.counters = counters
        self.eventLoop = eventLoop
        self.logger = logger
        self.sentinels = SentinelList(sentinels, limit: configuration.maxSentinels)
    }

    /// `completion` is called once, unless the question is cancelled.
    func find(completion: @escaping (Result<Found, ConnectFailure>) -> Void) -> Search {
        let search = Search(finder: self, completion: completion)
        search.askNext()
        return search
    }

    /// One search: holds the sentinels that are still to be asked.
    final class Search {
        private let finder: MasterFinder
        private var remaining: ArraySlice<RedisAddress>
        private var completion: ((Result<Found, ConnectFailure>) -> Void)?
        private var query: SentinelQuery?
        private var lastReason = "there are none"
        /// Whether every sentinel that was asked refuses the credentials.
        private var isRefused = true

        fileprivate init(finder: MasterFinder, completion: @escaping (Result<Found, ConnectFailure>) -> Void) {
            self.finder = finder
            self.completion = completion
            remaining = finder.sentinels.addresses[...]
        }

        func cancel() {
            completion = nil
            query?.cancel()
        }

        fileprivate func askNext() {
            guard completion != nil else { return }
            guard let sentinel = remaining.popFirst() else {
                let reason = "no sentinel of \(finder.sentinels.addresses.count) names the master (\(lastReason))"
                return finish(.failure(ConnectFailure(isRefused ? .refused : .unreachable, reason)))
            }
            query = SentinelQuery(
                sentinel, masterName: finder.masterName, configuration: finder.configuration, counters: finder.counters,
                eventLoop: finder.eventLoop
            ) { [self] result in
                query = nil
                switch result {
                case .success(let answer):
                    finder.sentinels.prefer(sentinel)
                    finder.sentinels.learn(answer.sentinels)
                    finish(.success(Found(master: answer.master, sentinel: sentinel)))
                case .failure(let failure):
                    finder.sentinels.demote(sentinel)
                    isRefused = isRefused && failure.kind == .refused
                    lastReason = "\(sentinel): \(failure.description)"
                    finder.logger.debug(
                        "a sentinel does not help", metadata: ["address": "\(sentinel)", "reason": "\(failure.description)"])
                    askNext()
                }
            }
        }

        private func finish(_ result: Result<Found, ConnectFailure>) {
            let completion = completion
            self.completion = nil
            completion?(result)
        }
    }
}

/// One question to one sentinel, on a connection for it alone. Confined to its event loop.
final class SentinelQuery {
    struct Answer {
        let master: RedisAddress
        let sentinels: [RedisAddress]
    }

    private let masterName: String
    private var completion: ((Result<Answer, ConnectFailure>) -> Void)?
    private var connection: RedisConnection?
    private var timer: Scheduled<Void>?
    private var master: RedisAddress?

    init(
        _ sentinel: RedisAddress, masterName: String, configuration: RedisConfiguration, counters: RedisCounters, eventLoop: any EventLoop,
        completion: @escaping (Result<Answer, ConnectFailure>) -> Void
    ) {
        self.masterName = masterName
        self.completion = completion
        let timeout = TimeAmount(configuration.sentinelTimeout)
        timer = eventLoop.run(in: timeout) { [self] in finish(.failure(ConnectFailure(.unreachable, "no answer in time"))) }
        connection = RedisConnection.connect(
            to: sentinel, settings: RedisConnection.Settings(sentinel: configuration), counters: counters, eventLoop: eventLoop
        ) { [self] result in
            switch result {
            case .failure(let failure): finish(.failure(failure))
            case .success(let connection): ask(connection)
            }
        }
    }

    private func ask(_ connection: RedisConnection) {
        guard completion != nil else { return }
        self.connection = connection
        connection.owner = self
        connection.write(RedisCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", .text(masterName)).bytes)
        connection.write(RedisCommand("SENTINEL", "SENTINELS", .text(masterName)).bytes)
        connection.flush()
    }

    func cancel() {
        completion = nil
        finish(.failure(ConnectFailure(.unreachable, "not needed any more")))
    }

    private func finish(_ result: Result<Answer, ConnectFailure>) {
        let completion = completion
        self.completion = nil
        timer?.cancel()
        timer = nil
        let connection = connection
        self.connection = nil
        connection?.owner = nil
        connection?.close(ConnectFailure(.unreachable, "the question was answered"))
        completion?(result)
    }
}

extension SentinelQuery: RedisConnectionOwner {
    func connection(_ connection: RedisConnection, received value: RESPValue) {
        guard completion != nil else { return }
        if let master { return finish(.success(Answer(master: master, sentinels: SentinelReply.sentinels(value)))) }
        if case .error(let error) = value { return finish(.failure(ConnectFailure(.notReady, "it answered \(error.message)"))) }
        guard let master = SentinelReply.masterAddress(value) else {
            return finish(.failure(ConnectFailure(.notReady, "it knows no master named \"\(masterName)\"")))
        }
        self.master = master
    }

    func connectionDidRead(_ connection: RedisConnection) {}
    func connectionIsExpecting(_ connection: RedisConnection) -> Bool { completion != nil }
    func connectionWantsPing(_ connection: RedisConnection) {}
    func connectionBecameWritable(_ connection: RedisConnection) {}
    func connectionClosed(_ connection: RedisConnection, _ failure: ConnectFailure) { finish(.failure(failure)) }
}

extension RedisConnection.Settings {
    /// For connections to a sentinel.
    init(sentinel configuration: RedisConfiguration) {
        self.init(
            handshake: Handshake.Settings(
                credentials: configuration.sentinelCredentials, clientName: configuration.clientName, requiresPing: false),
            tls: configuration.tls, connectTimeout: TimeAmount(configuration.sentinelTimeout),
            pingInterval: TimeAmount(configuration.pingInterval), silenceLimit: TimeAmount(configuration.silenceLimit),
            limits: configuration.limits)
    }
}
