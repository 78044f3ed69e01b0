public import Logging
public import Metrics
import NIOConcurrencyHelpers

/// The metrics of the program, for Prometheus: what is recorded through swift-metrics and what is collected at each scrape.
///
/// Make it `MetricsSystem`'s factory before the first metric is made. Metrics are to be made once and kept: making one takes a lock,
/// recording takes none. Equal name and labels give the same handler; it stays until each `destroy` of those who got it.
///
/// Names are made valid (other characters become `_`), counters end in `_total`, timers in `_seconds`. A metric that cannot be exposed,
/// because its name has another kind or other labels elsewhere, or since there are too many series, is logged once and not recorded.
public final class MetricsRegistry: MetricsFactory, Sendable {
    private struct State {
        var table: MetricTable
        var collectors: [@Sendable (MetricsCollection) -> Void] = []
        var complaints: Set<String> = []
    }

    // Names come from the program; this is for one that invents them.
    private static let maxComplaints = 1000
    /// Counts series that did not fit, each time that they are made or collected.
    public static let droppedSeriesMetric = "mcp_metrics_series_dropped_total"

    private let state: NIOLockedValueBox<State>
    private let droppedSeries: CounterInstrument
    private let logger: Logger

    /// - Parameters:
    ///   - descriptions: of the program's own metrics. Metrics of libraries need none.
    ///   - maxSeries: how many combinations of name and labels there may be, recorded and collected; a histogram counts as one.
    ///   - logger: for metrics that are not recorded.
    public init(
        descriptions: [MetricDescription] = [], maxSeries: Int = 10_000, logger: Logger = Logger(label: "gateway.metrics")
    ) {
        self.logger = logger
        // One more: the registry's own.
        var table = MetricTable(maxSeries: max(0, maxSeries) + 1)
        let family = MetricName.family(Self.droppedSeriesMetric, .counter)
        droppedSeries = CounterInstrument(key: SeriesKey(family: family, values: []))
        let own = MetricDescription(
            Self.droppedSeriesMetric, .counter, "Series that were not recorded because there were too many, each time they were made.")
        var refused: [(String, MetricRefusal)] = []
        for description in [own] + descriptions {
            do throws(MetricRefusal) { try table.describe(description) } catch { refused.append((description.name, error)) }
        }
        do throws(MetricRefusal) {
            _ = try table.instrument(family: family, .counter, .none) { [droppedSeries] _, _ in droppedSeries }
        } catch {
            refused.append((Self.droppedSeriesMetric, error))
        }
        state = NIOLockedValueBox(State(table: table))
        for (name, refusal) in refused { complain(name, refusal) }
    }

    /// Adds a closure that each scrape calls for figures that are kept elsewhere. It must be quick and must not block; scrapes at the
    /// same time call it at the same time.
    public func onCollect(_ body: @escaping @Sendable (MetricsCollection) -> Void) {
        state.withLockedValue { $0.collectors.append(body) }
    }

    /// The instrument of a series, or nil if there can be none.
    func instrument<I: Instrument>(
        _ name: String, _ kind: MetricKind, _ dimensions: [(String, String)], make: (SeriesKey, [Double]) -> I
    ) -> I? {
        do throws(MetricRefusal) {
            let labels = try MetricLabels(dimensions)
            let family = MetricName.family(name, kind)
            return try state.withLockedValue { state in
                Result { () throws(MetricRefusal) in try state.table.instrument(family: family, kind, labels, make: make) }
            }.get()
        } catch {
            complain(name, error)
            return nil
        }
    }

    func destroy(_ handler: AnyObject) {
        guard let instrument = handler as? any Instrument, instrument !== droppedSeries else { return }
        state.withLockedValue { $0.table.destroy(instrument) }
    }

    /// All series, recorded and collected, as they are now.
    func snapshot() -> [MetricTable.Family] {
        // A copy: collectors may record, and recording may make metrics.
        var (table, collectors) = state.withLockedValue { ($0.table, $0.collectors) }
        let collection = MetricsCollection()
        for collect in collectors { collect(collection) }
        for figure in collection.figures {
            do throws(MetricRefusal) {
                try table.collect(
                    family: MetricName.family(figure.name, figure.kind), figure.kind, try MetricLabels(figure.labels), figure.number)
            } catch {
                complain(figure.name, error)
            }
        }
        return table.families.values.filter { !$0.series.isEmpty }.sorted { $0.name < $1.name }
    }

    private func complain(_ name: String, _ refusal: MetricRefusal) {
        if refusal == .full { droppedSeries.increment(by: Int64(1)) }
        let isNew = state.withLockedValue { state in
            state.complaints.count < Self.maxComplaints && state.complaints.insert(name).inserted
        }
        guard isNew else { return }
        logger.warning("a metric is not recorded", metadata: ["metric": "\(name)", "reason": "\(refusal)"])
    }
}
