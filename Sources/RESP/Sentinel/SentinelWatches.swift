/// Listens at every sentinel that is known, because the early events of a failover come only from the one that leads it. Confined to its event loop.
final class SentinelWatches {
    private let finder: MasterFinder
    private let onNews: (SentinelNews) -> Void
    private var watches: [SentinelWatch] = []
    private var isStopped = false

    init(finder: MasterFinder, onNews: @escaping (SentinelNews) -> Void) {
        self.finder = finder
        self.onNews = onNews
    }

    /// Begins to listen at the sentinels that are not listened to yet.
    func extend() {
        guard !isStopped else { return }
        for sentinel in finder.sentinels.addresses where !watches.contains(where: { $0.sentinel == sentinel }) {
            let watch = SentinelWatch(sentinel, finder: finder, onNews: onNews)
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
