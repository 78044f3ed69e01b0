import Metrics

/// Values of any unit. Those that would make the sum useless for good, infinite ones and NaN, are ignored.
final class ValueHistogram: Instrument, RecorderHandler {
    let key: SeriesKey
    private let bounds: [Double]
    private let counts: AtomicCounts
    private let sum = AtomicDouble()

    /// - Parameter bounds: upper bounds of the buckets, ascending.
    init(key: SeriesKey, bounds: [Double]) {
        self.key = key
        self.bounds = bounds
        counts = AtomicCounts(count: bounds.count + 1)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        var bucket = 0
        for bound in bounds { bucket &+= value > bound ? 1 : 0 }
        counts.increment(at: bucket)
        sum.add(value)
    }

    var figures: MetricFigures { .histogram(HistogramFigures(bounds: bounds, counts: counts.values, sum: sum.value)) }
}
