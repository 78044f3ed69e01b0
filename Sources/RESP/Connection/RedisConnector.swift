import Logging
import NIOCore

/// Finds the server and connects to it. Confined to its event loop.
final class RedisConnector {
    /// One attempt, which can be called off: then nobody is told how it ended.
    final class Attempt {
        fileprivate var connection: RedisConnection?
        fileprivate var search: MasterFinder.Search?
        fileprivate var completion: ((Result<RedisConnection, ConnectFailure>) -> Void)?

        func cancel() {
            completion = nil
            search?.cancel()
            search = nil
            let connection = connection
            self.connection = nil
            connection?.close(ConnectFailure(.unreachable, "not needed any more"))
        }

        fileprivate func finish(_ result: Result<RedisConnection, ConnectFailure>) {
            connection = nil
            search = nil
            let completion = completion
            self.completion = nil
            completion?(result)
        }
    }

    /// Nil without sentinels.
    let finder: MasterFinder?
    private let configuration: RedisConfiguration
    private let counters: RedisCounters
    private let eventLoop: any EventLoop

    init(configuration: RedisConfiguration, counters: RedisCounters, eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.counters = counters
        self.eventLoop = eventLoop
        if case .sentinels(let sentinels, let masterName) = configuration.target {
            finder = MasterFinder(
                sentinels: sentinels, masterName: masterName, configuration: configuration, counters: counters, eventLoop: eventLoop,
                logger: logger)
        } else {
            finder = nil
        }
    }

    /// Connects to the server, or to the master.
    /// - Parameters:
    ///   - announced: where the sentinels said just now that the master is, so that they are not asked.
    ///   - completion: called once on the event loop, unless the attempt is cancelled.
    func connect(announced: RedisAddress? = nil, completion: @escaping (Result<RedisConnection, ConnectFailure>) -> Void) -> Attempt {
        let attempt = Attempt()
        attempt.completion = completion
        switch configuration.target {
        case .server(let address): connect(to: address, attempt, saidBy: nil)
        case .sentinels:
            if let announced {
                connect(to: announced, attempt, saidBy: nil)
            } else {
                attempt.search = finder?.find { [weak self] result in
                    switch result {
                    case .success(let found): self?.connect(to: found.master, attempt, saidBy: found.sentinel)
                    case .failure(let failure): attempt.finish(.failure(failure))
                    }
                }
            }
        }
        return attempt
    }

    private func connect(to address: RedisAddress, _ attempt: Attempt, saidBy sentinel: RedisAddress?) {
        attempt.connection = RedisConnection.connect(
            to: address, settings: RedisConnection.Settings(server: configuration), counters: counters, eventLoop: eventLoop
        ) { [weak self] result in
            // Another sentinel may know better.
            if case .failure = result, let sentinel { self?.finder?.sentinels.demote(sentinel) }
            attempt.finish(result.mapError { ConnectFailure($0.kind, "\(address): \($0.description)") })
        }
    }
}

extension RedisConnection.Settings {
    /// For connections to the server, or the master.
    init(server configuration: RedisConfiguration) {
        var isSentinel = false
        if case .sentinels = configuration.target { isSentinel = true }
        self.init(
            handshake: Handshake.Settings(
                credentials: configuration.credentials, clientName: configuration.clientName, database: configuration.database,
                requiresMaster: isSentinel),
            tls: configuration.tls, connectTimeout: TimeAmount(configuration.connectTimeout),
            pingInterval: TimeAmount(configuration.pingInterval), silenceLimit: TimeAmount(configuration.silenceLimit),
            limits: configuration.limits)
    }
}
