/// Writes families in one of the formats. Everything is in a fixed order, so that equal figures give equal bytes.
struct ExpositionWriter {
    private let format: ExpositionFormat
    private var bytes: [UInt8] = []

    init(_ format: ExpositionFormat) {
        self.format = format
        bytes.reserveCapacity(16 * 1024)
    }

    /// The whole answer.
    consuming func finish() -> [UInt8] {
        // Tells a whole answer from one that was cut off (OpenMetrics 1.0, "Overall Structure").
        if format == .openMetrics { bytes += "# EOF\n".utf8 }
        return bytes
    }

    mutating func write(_ family: MetricTable.Family) {
        let line = family.kind == .counter ? MetricName.counter(family: family.name) : family.name
        // The older format has no families: what its headers name is what its lines are called.
        let header = format == .openMetrics ? family.name : line
        bytes += "# HELP \(header) ".utf8
        append(escaping: family.help, quotes: format == .openMetrics)
        bytes += "\n# TYPE \(header) \(family.kind.rawValue)\n".utf8
        if format == .openMetrics, let unit = MetricName.unit(family: family.name) { bytes += "# UNIT \(header) \(unit)\n".utf8 }
        for (values, series) in family.series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let labels = Array(zip(family.labelNames, values))
            let figures =
                switch series {
                case .recorded(let instrument, users: _): instrument.figures
                case .collected(let number): MetricFigures.number(number)
                }
            switch figures {
            case .number(let number): write(line, labels, number)
            case .histogram(let histogram): write(family.name, labels, histogram)
            }
        }
    }

    private mutating func write(_ name: String, _ labels: [(String, String)], _ histogram: HistogramFigures) {
        var count: UInt64 = 0
        for (index, inBucket) in histogram.counts.enumerated() {
            count &+= inBucket
            let bound = index < histogram.bounds.count ? text(ofBound: histogram.bounds[index]) : "+Inf"
            write(name + "_bucket", labels + [("le", bound)], .integer(Int64(clamping: count)))
        }
        write(name + "_sum", labels, .floating(histogram.sum))
        // The same as in the last bucket, whatever was recorded meanwhile.
        write(name + "_count", labels, .integer(Int64(clamping: count)))
    }

    private mutating func write(_ name: String, _ labels: [(String, String)], _ number: MetricNumber) {
        bytes += name.utf8
        if !labels.isEmpty {
            var separator = UInt8(ascii: "{")
            for (name, value) in labels {
                bytes.append(separator)
                separator = UInt8(ascii: ",")
                bytes += name.utf8
                bytes += "=\"".utf8
                append(escaping: value, quotes: true)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        switch number {
        case .integer(let value): bytes += value.description.utf8
        case .floating(let value): bytes += Self.text(of: value).utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// As Go reads it; whole numbers without exponent and fraction.
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return Int64(exactly: value)?.description ?? value.description
    }

    /// OpenMetrics wants a fraction in bounds (section "Canonical Numbers"); the older format has none by custom.
    private func text(ofBound bound: Double) -> String {
        format == .openMetrics ? bound.description : Self.text(of: bound)
    }

    private mutating func append(escaping text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += #"\\"#.utf8
            case UInt8(ascii: "\n"): bytes += #"\n"#.utf8
            case UInt8(ascii: "\"") where quotes: bytes += #"\""#.utf8
            default: bytes.append(byte)
            }
        }
    }
}
