import Logging
import NIOCore

/// Listens at every sentinel that is known, because the early events of a failover come only from the one that leads it. Confined to its event loop.
final class SentinelWatches {
    private let finder: MasterFinder
    private let configuration: RedisConfiguration
    private let counters: RedisCounters
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let onNews: (SentinelNews) -> Void
    private var watches: [SentinelWatch] = []
    private var isStopped = false

    init(
        finder: MasterFinder, configuration: RedisConfiguration, counters: RedisCounters, eventLoop: any EventLoop, logger: Logger,
        onNews: @escaping (SentinelNews) -> Void
    ) {
        self.finder = finder
        self.configuration = configuration
        self.counters = counters
        self.eventLoop = eventLoop
        self.logger = logger
        self.onNews = onNews
    }

    /// Begins to listen at the sentinels that are not listened to yet.
    func extend() {
        guard !isStopped else { return }
        for sentinel in finder.sentinels.addresses where !watches.contains(where: { $0.sentinel == sentinel }) {
            let watch = SentinelWatch(
                sentinel, finder: finder, configuration: configuration, counters: counters, eventLoop: eventLoop, logger: logger,
                onNews: onNews)
            watches.append(watch)
            watch.start()
        }
    }

    func stop() {
        isStopped = true
        for watch in watches { watch.stop() }
        watches = []
    }
}
