extension MetricsRegistry {
    /// The answer to a scrape: all metrics that have figures, by name and labels.
    public func render(_ format: ExpositionFormat) -> [UInt8] {
        var writer = ExpositionWriter(format)
        for family in snapshot() { writer.write(family) }
        return writer.finish()
    }
}
