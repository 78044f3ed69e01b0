import Metrics

/// Counts what happens on event streams. The handlers are made at the first use, after the composition root has set up the metrics.
enum StreamMetrics {
    private static let appendedEvents = Counter(label: "mcp_events_total")
    private static let replayedEvents = Counter(label: "mcp_events_replayed_total")

    /// Makes the counters, so that they are shown before they count.
    static func prepare() {
        appendedEvents.increment(by: 0)
        replayedEvents.increment(by: 0)
    }

    static func appended() { appendedEvents.increment() }

    static func replayed(_ count: Int) {
        if count > 0 { replayedEvents.increment(by: count) }
    }
}
