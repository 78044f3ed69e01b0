import Foundation
import Testing

@testable import Telemetry

@Suite("Descriptions of metrics")
struct MetricDescriptionTests {
    private let all = MetricDescription.gateway + ProcessMetrics.descriptions

    @Test("the gateway's descriptions fit together")
    func fit() {
        let log = LogOutput()
        _ = MetricsRegistry.quiet(all, log: log)
        #expect(log.lines.isEmpty)
        #expect(Set(all.map(\.name)).count == all.count)
    }

    @Test("counters end in _total and nothing else does, histograms in their unit, every metric has a sentence of help")
    func names() throws {
        let name = try Regex("[a-z][a-z0-9_]*")
        for description in all {
            #expect(description.name.hasSuffix("_total") == (description.kind == .counter), "\(description.name)")
            if description.kind == .histogram { #expect(description.name.hasSuffix("_seconds")) }
            #expect(description.help.hasSuffix(".") && description.help.count > 7, "\(description.name)")
            for name_ in [description.name] + description.labels { #expect(name_.wholeMatch(of: name) != nil, "\(name_)") }
        }
    }

    @Test("buckets ascend, durations from half a millisecond to a minute")
    func buckets() {
        for buckets in [MetricDescription.durationBuckets, MetricDescription.valueBuckets] {
            #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 })
        }
        #expect(MetricDescription.durationBuckets.first == 0.0005)
        #expect(MetricDescription.durationBuckets.last == 60)
    }
}
