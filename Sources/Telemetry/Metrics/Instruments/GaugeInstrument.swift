import Metrics

/// The last value set, changed by what was added and subtracted since.
final class GaugeInstrument: Instrument, MeterHandler, RecorderHandler {
    let key: SeriesKey
    private let current = AtomicDouble()

    init(key: SeriesKey) {
        self.key = key
    }

    func set(_ value: Int64) { current.value = Double(value) }
    func set(_ value: Double) { current.value = value }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { set(value) }
    func record(_ value: Double) { set(value) }

    var figures: MetricFigures { .number(.floating(current.value)) }
}
