import Metrics
import Synchronization

/// Durations, recorded in nanoseconds and exposed in seconds. Recording is two atomic additions.
final class DurationHistogram: Instrument, TimerHandler {
    let key: SeriesKey
    private let bounds: [Double]
    private let nanosecondBounds: [Int64]
    private let counts: AtomicCounts
    // In nanoseconds, of all: 584 years until it starts again at 0, which Prometheus takes for a restart.
    private let sum = Atomic<UInt64>(0)

    /// - Parameter bounds: upper bounds of the buckets in seconds, ascending.
    init(key: SeriesKey, bounds: [Double]) {
        self.key = key
        self.bounds = bounds
        nanosecondBounds = bounds.map { Int64(exactly: ($0 * 1e9).rounded()) ?? .max }
        counts = AtomicCounts(count: bounds.count + 1)
    }

    /// Counts a duration; one below zero, which a clock that was set back makes, counts as zero.
    func recordNanoseconds(_ duration: Int64) {
        let duration = max(0, duration)
        // Without a branch in the loop: for these few bounds quicker than a binary search.
        var bucket = 0
        for bound in nanosecondBounds { bucket &+= duration > bound ? 1 : 0 }
        counts.increment(at: bucket)
        sum.wrappingAdd(UInt64(duration), ordering: .relaxed)
    }

    var figures: MetricFigures {
        .histogram(HistogramFigures(bounds: bounds, counts: counts.values, sum: Double(sum.load(ordering: .relaxed)) / 1e9))
    }
}
