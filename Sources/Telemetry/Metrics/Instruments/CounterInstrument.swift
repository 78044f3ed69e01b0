import Metrics
import Synchronization

/// A sum of whole and of fractional amounts. Negative amounts, which would look like a restart to Prometheus, are ignored.
final class CounterInstrument: Instrument, CounterHandler, FloatingPointCounterHandler {
    let key: SeriesKey
    private let whole = Atomic<UInt64>(0)
    private let fractional = AtomicDouble()

    init(key: SeriesKey) {
        self.key = key
    }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fractional.add(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.value = 0
    }

    var figures: MetricFigures {
        let whole = whole.load(ordering: .relaxed)
        let fractional = fractional.value
        if fractional == 0, let exact = Int64(exactly: whole) { return .number(.integer(exact)) }
        return .number(.floating(Double(whole) + fractional))
    }
}
