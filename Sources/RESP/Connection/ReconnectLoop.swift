import NIOCore

/// Tries to connect until it succeeds, with growing waits. Confined to its event loop.
final class ReconnectLoop {
    private let connector: RedisConnector
    private let eventLoop: any EventLoop
    private let onConnected: (RedisConnection) -> Void
    private let onFailure: (ConnectFailure) -> Void
    private let isStableAfter: TimeAmount
    private var backoff: ReconnectBackoff
    private var timer: Scheduled<Void>?
    private var attempt: RedisConnector.Attempt?
    private var isStopped = false

    init(
        connector: RedisConnector, configuration: RedisConfiguration, eventLoop: any EventLoop,
        onConnected: @escaping (RedisConnection) -> Void, onFailure: @escaping (ConnectFailure) -> Void
    ) {
        self.connector = connector
        self.eventLoop = eventLoop
        self.onConnected = onConnected
        self.onFailure = onFailure
        isStableAfter = TimeAmount(configuration.reconnectMaxDelay)
        backoff = ReconnectBackoff(base: TimeAmount(configuration.reconnectBaseDelay), max: TimeAmount(configuration.reconnectMaxDelay))
    }

    /// Tries now, unless an attempt is under way.
    func connect() {
        guard !isStopped, attempt == nil else { return }
        timer?.cancel()
        timer = nil
        let attempt = RedisConnector.Attempt()
        self.attempt = attempt
        connector.connect(attempt) { [weak self] result in
            guard let self, !isStopped else {
                if case .success(let connection) = result { connection.close(ConnectFailure(.unreachable, "not needed any more")) }
                return
            }
            self.attempt = nil
            switch result {
            case .success(let connection): onConnected(connection)
            case .failure(let failure):
                again()
                onFailure(failure)
            }
        }
    }

    /// A connection that was handed out is gone.
    func connectionEnded(_ connection: RedisConnection, wasAsked: Bool) {
        let lifetime = NIODeadline.now() - (connection.readySince ?? .now())
        if lifetime >= isStableAfter { backoff.reset() }
        again()
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        attempt?.cancel()
    }

    private func again() {
        guard !isStopped, attempt == nil, timer == nil else { return }
        let delay = backoff.next(fraction: .random(in: 0...1))
        timer = eventLoop.run(in: delay) { [weak self] in
            self?.timer = nil
            self?.connect()
        }
    }
}
