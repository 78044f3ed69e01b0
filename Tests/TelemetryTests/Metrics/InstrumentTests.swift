import Metrics
import Testing

@testable import Telemetry

@Suite("Recording metrics")
struct InstrumentTests {
    private let key = SeriesKey(family: "x", values: [])

    private func histogram(_ instrument: any Instrument) throws -> HistogramFigures {
        guard case .histogram(let figures) = instrument.figures else { throw MetricRefusal.kind(.histogram) }
        return figures
    }

    @Test("a duration counts in the first bucket whose bound it does not exceed, to the nanosecond")
    func durationBounds() throws {
        for (index, bound) in MetricDescription.durationBuckets.enumerated() {
            let nanoseconds = Int64((bound * 1e9).rounded())
            for (duration, bucket) in [(nanoseconds - 1, index), (nanoseconds, index), (nanoseconds + 1, index + 1)] {
                let instrument = DurationHistogram(key: key, bounds: MetricDescription.durationBuckets)
                instrument.recordNanoseconds(duration)
                let figures = try histogram(instrument)
                #expect(figures.counts.firstIndex(of: 1) == bucket)
                #expect(figures.counts.reduce(0, +) == 1)
                #expect(figures.sum == Double(duration) / 1e9)
            }
        }
    }

    @Test("durations of zero, below zero and without end have a bucket too")
    func durationExtremes() throws {
        let instrument = DurationHistogram(key: key, bounds: [0, 1, .greatestFiniteMagnitude])
        for duration in [0, -1, .min, 1, .max] as [Int64] { instrument.recordNanoseconds(duration) }
        let figures = try histogram(instrument)
        #expect(figures.counts == [3, 1, 1, 0])
        #expect(figures.sum == Double(Int64.max) / 1e9)
        // Far beyond what the sum holds: no more than a new start of the counter.
        for _ in 0..<3 { instrument.recordNanoseconds(.max) }
        #expect(try histogram(instrument).counts == [3, 1, 4, 0])
    }

    @Test("values count in the first bucket whose bound they do not exceed; infinite ones and NaN are ignored")
    func values() throws {
        let instrument = ValueHistogram(key: key, bounds: MetricDescription.valueBuckets)
        for value in [-1, 0, 1, 1.5, 4, 5, 1e12, .infinity, -.infinity, .nan] { instrument.record(value) }
        instrument.record(Int64(1 << 30))
        let figures = try histogram(instrument)
        #expect(figures.counts == [3, 2, 1] + [UInt64](repeating: 0, count: 12) + [1, 1])
        #expect(figures.sum == 1_000_000_000_010.5 + Double(1 << 30))
        #expect(figures.bounds.last == Double(1 << 30))
    }

    @Test("a counter adds whole and fractional amounts, ignores what is not positive, and can be set back")
    func counter() {
        let counter = CounterInstrument(key: key)
        counter.increment(by: Int64(2))
        #expect(counter.figures == .number(.integer(2)))
        counter.increment(by: 0.5)
        for amount in [0, -1, .nan, .infinity, -.infinity] as [Double] { counter.increment(by: amount) }
        counter.increment(by: Int64(-5))
        counter.increment(by: Int64.min)
        #expect(counter.figures == .number(.floating(2.5)))
        counter.reset()
        #expect(counter.figures == .number(.integer(0)))
    }

    @Test("a gauge is what was set last and what was added since")
    func gauge() {
        let gauge = GaugeInstrument(key: key)
        gauge.set(Int64(4))
        gauge.increment(by: 1.5)
        gauge.decrement(by: 0.5)
        #expect(gauge.figures == .number(.floating(5)))
        gauge.record(-2.5)
        #expect(gauge.figures == .number(.floating(-2.5)))
    }

    @Test("nothing is lost when many record at the same time, whole numbers, fractions and buckets, while scrapes go on")
    func concurrency() async {
        let registry = MetricsRegistry.quiet([.init("d_seconds", .histogram, "x", buckets: [0.001, 0.002])])
        let (tasks, rounds) = (8, 20_000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    let counter = Counter(label: "c", factory: registry)
                    let fractions = FloatingPointCounter(label: "f", factory: registry)
                    let meter = Meter(label: "m", factory: registry)
                    let timer = Metrics.Timer(label: "d", factory: registry)
                    let recorder = Recorder(label: "r", factory: registry)
                    for round in 0..<rounds {
                        counter.increment()
                        fractions.increment(by: 0.25)
                        if round % 2 == 0 { meter.increment(by: 2) } else { meter.decrement(by: 1) }
                        timer.recordMicroseconds(1000 * (1 + (round + task) % 4))
                        recorder.record(1)
                    }
                }
            }
            group.addTask {
                for _ in 0..<200 { _ = registry.render(.openMetrics) }
            }
        }
        let total = tasks * rounds
        #expect(
            registry.lines() == [
                "c_total \(total)", "d_seconds_bucket{le=\"0.001\"} \(total / 4)", "d_seconds_bucket{le=\"0.002\"} \(total / 2)",
                "d_seconds_bucket{le=\"+Inf\"} \(total)", "d_seconds_sum \(total / 4 * 10 / 1000)", "d_seconds_count \(total)",
                "f_total \(total / 4)", "m \(total / 2)",
            ] + MetricDescription.valueBuckets.map { "r_bucket{le=\"\(Int($0))\"} \(total)" } + [
                "r_bucket{le=\"+Inf\"} \(total)", "r_sum \(total)", "r_count \(total)",
            ])
    }
}
