public import Metrics

extension MetricsRegistry {
    /// A counter, exposed under a name that ends in `_total`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, .counter, dimensions) { key, _ in CounterInstrument(key: key) } ?? NOOPMetricsHandler.instance
    }

    /// A counter of fractions; with the name and labels of a counter of whole numbers it is the same one.
    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        instrument(label, .counter, dimensions) { key, _ in CounterInstrument(key: key) } ?? NOOPMetricsHandler.instance
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, .gauge, dimensions) { key, _ in GaugeInstrument(key: key) } ?? NOOPMetricsHandler.instance
    }

    /// A histogram if `aggregate`, else a gauge.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            return instrument(label, .histogram, dimensions) { ValueHistogram(key: $0, bounds: $1) } ?? NOOPMetricsHandler.instance
        }
        return instrument(label, .gauge, dimensions) { key, _ in GaugeInstrument(key: key) } ?? NOOPMetricsHandler.instance
    }

    /// A histogram in seconds, exposed under a name that ends in `_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(MetricName.duration(label), .histogram, dimensions) { DurationHistogram(key: $0, bounds: $1) }
            ?? NOOPMetricsHandler.instance
    }

    /// Removes the series when all who made it have destroyed it.
    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    /// Removes the series when all who made it have destroyed it.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    /// Removes the series when all who made it have destroyed it.
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    /// Removes the series when all who made it have destroyed it.
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    /// Removes the series when all who made it have destroyed it.
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }
}
