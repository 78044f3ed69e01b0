import Logging
import Metrics

@testable import Telemetry

extension MetricsRegistry {
    /// A registry whose complaints go to `log`.
    static func quiet(_ descriptions: [MetricDescription] = [], maxSeries: Int = 10_000, log: LogOutput = LogOutput()) -> MetricsRegistry {
        MetricsRegistry(descriptions: descriptions, maxSeries: maxSeries, logger: log.logger(.json, label: "gateway.metrics"))
    }

    /// What a scrape gets, without the registry's own metric.
    func text(_ format: ExpositionFormat = .text) -> String {
        let all = String(decoding: render(format), as: UTF8.self).split(separator: "\n").filter {
            !$0.contains("mcp_metrics_series_dropped")
        }
        return all.map { $0 + "\n" }.joined()
    }

    /// The lines that have figures.
    func lines(_ format: ExpositionFormat = .text) -> [String] {
        text(format).split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    var droppedSeriesLine: String? {
        String(decoding: render(.text), as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("mcp_metrics_series_dropped_total ") }
            .map(String.init)
    }
}
