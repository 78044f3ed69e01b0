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
    /// Where the attempt goes to, if that was announced.
    private var announced: RedisAddress?
    /// Of the attempt that counts.
    private var generation = 0
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

    /// Tries now. An attempt that is under way goes on, unless the sentinels announce another master than it may have been told of.
    func connect(announced: RedisAddress? = nil) {
        guard !isStopped else { return }
        if attempt != nil {
            // Every sentinel announces it.
            guard let announced, announced != self.announced else { return }
            attempt?.cancel()
        }
        self.announced = announced
        timer?.cancel()
        timer = nil
        generation += 1
        let generation = generation
        // An attempt may end before the call returns.
        attempt = nil
        let attempt = connector.connect(announced: announced) { [weak self] result in
            guard let self, self.generation == generation else { return }
            self.generation += 1
            self.attempt = nil
            switch result {
            case .success(let connection): onConnected(connection)
            case .failure(let failure):
                again()
                onFailure(failure)
            }
        }
        if self.generation == generation { self.attempt = attempt }
    }

    /// A connection that was handed out is gone.
    func connectionEnded(_ connection: RedisConnection) {
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
