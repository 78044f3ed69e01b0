import Logging
import NIOCore

/// Finds the server and connects to it. Confined to its event loop.
final class RedisConnector {
    /// One attempt, which can be called off.
    final class Attempt {
        fileprivate(set) var isCancelled = false
        fileprivate var connection: RedisConnection?

        func cancel() {
            isCancelled = true
            let connection = connection
            self.connection = nil
            connection?.close(ConnectFailure(.unreachable, "not needed any more"))
        }
    }

    private let configuration: RedisConfiguration
    private let counters: RedisCounters
    private let eventLoop: any EventLoop
    private let logger: Logger

    init(configuration: RedisConfiguration, counters: RedisCounters, eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.counters = counters
        self.eventLoop = eventLoop
        self.logger = logger
    }

    /// `completion` is called once, on the event loop.
    func connect(_ attempt: Attempt, completion: @escaping (Result<RedisConnection, ConnectFailure>) -> Void) {
        switch configuration.target {
        case .server(let address): connect(to: address, attempt, completion: completion)
        case .sentinels: completion(.failure(ConnectFailure(.unreachable, "sentinels are not supported yet")))
        }
    }

    private func connect(
        to address: RedisAddress, _ attempt: Attempt, completion: @escaping (Result<RedisConnection, ConnectFailure>) -> Void
    ) {
        let settings = RedisConnection.Settings(server: configuration)
        attempt.connection = RedisConnection.connect(to: address, settings: settings, counters: counters, eventLoop: eventLoop) { result in
            attempt.connection = nil
            completion(result.mapError { ConnectFailure($0.kind, "\(address): \($0.description)") })
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
