/// The figures that exist elsewhere, such as the length of a queue, and are asked for at each scrape. See
/// `MetricsRegistry.onCollect(_:)`; valid only while that closure runs.
public final class MetricsCollection {
    struct Figure {
        let name: String
        let kind: MetricKind
        let labels: [(String, String)]
        let number: MetricNumber
    }

    private(set) var figures: [Figure] = []

    /// The current value of a gauge.
    public func gauge(_ name: String, _ labels: [(String, String)], _ value: Double) {
        add(name, .gauge, labels, .floating(value))
    }

    /// The current value of a gauge.
    public func gauge(_ name: String, _ labels: [(String, String)], _ value: some BinaryInteger) {
        add(name, .gauge, labels, .integer(Int64(clamping: value)))
    }

    /// The current value of a gauge without labels.
    public func gauge(_ name: String, _ value: Double) { gauge(name, [], value) }

    /// The current value of a gauge without labels.
    public func gauge(_ name: String, _ value: some BinaryInteger) { gauge(name, [], value) }

    /// A sum since some start, never negative. A smaller one than before counts as a new start.
    public func counter(_ name: String, _ labels: [(String, String)], _ value: Double) {
        add(name, .counter, labels, .floating(value))
    }

    /// A sum since some start, never negative. A smaller one than before counts as a new start.
    public func counter(_ name: String, _ labels: [(String, String)], _ value: some BinaryInteger) {
        add(name, .counter, labels, .integer(Int64(clamping: value)))
    }

    /// A sum without labels.
    public func counter(_ name: String, _ value: Double) { counter(name, [], value) }

    /// A sum without labels.
    public func counter(_ name: String, _ value: some BinaryInteger) { counter(name, [], value) }

    private func add(_ name: String, _ kind: MetricKind, _ labels: [(String, String)], _ number: MetricNumber) {
        figures.append(Figure(name: name, kind: kind, labels: labels, number: number))
    }
}
