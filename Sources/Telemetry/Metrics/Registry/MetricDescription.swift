/// What a metric measures.
public enum MetricKind: String, Sendable, Hashable, CaseIterable {
    /// A sum that only grows.
    case counter
    /// A value that goes up and down.
    case gauge
    /// How often values fell into each of several ranges, and their sum.
    case histogram
}

/// What is known of a metric before it is first recorded: its kind, its help text and the names of its labels.
///
/// A described metric can be recorded in no other way: see `MetricsRegistry`.
public struct MetricDescription: Sendable, Hashable {
    /// As Prometheus shows it, with unit and `_total`: `http_requests_total`, `http_request_duration_seconds`.
    public var name: String
    /// What it measures.
    public var kind: MetricKind
    /// One sentence for people.
    public var help: String
    /// Names of all labels, in any order.
    public var labels: [String]
    /// Upper bounds of a histogram's buckets, in the unit of the metric; nil for `durationBuckets` in timers and histograms of seconds,
    /// and `valueBuckets` in others.
    public var buckets: [Double]?

    /// Describes a metric.
    public init(_ name: String, _ kind: MetricKind, _ help: String, labels: [String] = [], buckets: [Double]? = nil) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = buckets
    }

    /// Buckets of durations, in seconds.
    public static let durationBuckets: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Buckets of counts and sizes: powers of 4 up to 2³⁰.
    public static let valueBuckets: [Double] = (0..<16).map { Double(1 << (2 * $0)) }
}
