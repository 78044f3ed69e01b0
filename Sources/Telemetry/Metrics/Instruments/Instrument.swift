/// What records one series. Recording uses atomics alone: it takes no lock, allocates nothing and is not delayed by scrapes.
///
/// All orderings are relaxed: a figure stands for itself, and a scrape may see one of two additions made at the same time.
protocol Instrument: AnyObject, Sendable {
    var key: SeriesKey { get }
    /// The figures as they are now.
    var figures: MetricFigures { get }
}

/// Where a series is in a `MetricTable`.
struct SeriesKey: Sendable, Hashable {
    let family: String
    /// Of the labels, in the order of the labels' names.
    let values: [String]
}

/// The figures of one series at one time.
enum MetricFigures: Sendable, Equatable {
    case number(MetricNumber)
    case histogram(HistogramFigures)
}

/// A figure. Integers are kept apart, so that they are exact.
enum MetricNumber: Sendable, Equatable {
    case integer(Int64)
    case floating(Double)
}

/// The figures of a histogram.
struct HistogramFigures: Sendable, Equatable {
    /// Upper bounds, inclusive, ascending; above the last there is one bucket more.
    let bounds: [Double]
    /// How many values each bucket has, without those of the buckets before it.
    let counts: [UInt64]
    let sum: Double
}
