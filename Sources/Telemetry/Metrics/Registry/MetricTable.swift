/// All series by their family. A value without locks, clocks or I/O: the registry keeps one, and each scrape a copy that it adds
/// collected figures to.
struct MetricTable: Sendable {
    /// All series of one name.
    struct Family: Sendable {
        let name: String
        let kind: MetricKind
        let help: String
        /// Sorted.
        let labelNames: [String]
        /// Nil for the defaults.
        let buckets: [Double]?
        let isDescribed: Bool
        /// By the values of the labels.
        fileprivate(set) var series: [[String]: Series] = [:]
    }

    /// What has the figures of a series.
    enum Series: Sendable {
        /// An instrument, and how often it was made and not destroyed.
        case recorded(any Instrument, users: Int)
        /// A figure of one scrape.
        case collected(MetricNumber)
    }

    /// Help of metrics that nobody described.
    static let genericHelp = "Recorded by a part of the program that does not describe it."

    private(set) var families: [String: Family] = [:]
    // Which family has lines or headers of a name, so that no two have the same.
    private var owners: [String: String] = [:]
    private var seriesCount = 0
    private let maxSeries: Int

    init(maxSeries: Int) {
        self.maxSeries = maxSeries
    }

    /// Adds a family without series.
    mutating func describe(_ description: MetricDescription) throws(MetricRefusal) {
        let labels = try MetricLabels(description.labels.map { ($0, "") })
        let name = MetricName.family(description.name, description.kind)
        // The first description counts.
        if let existing = families[name] { throw .clash(name: name, family: existing.name) }
        let family = Family(
            name: name, kind: description.kind, help: description.help, labelNames: labels.names,
            buckets: description.buckets.map { Set($0.filter(\.isFinite)).sorted() }, isDescribed: true)
        try check(family)
        add(family)
    }

    /// The instrument of a series; makes it when there is none yet.
    ///
    /// - Parameter make: makes an instrument with the bounds given, in the unit of the metric, if the kind is a histogram.
    mutating func instrument<I: Instrument>(
        family name: String, _ kind: MetricKind, _ labels: MetricLabels, make: (_ key: SeriesKey, _ buckets: [Double]) -> I
    ) throws(MetricRefusal) -> I {
        let family = try family(name, kind, labels)
        switch family.series[labels.values] {
        case .recorded(let existing, let users):
            // A timer and a recorder are both histograms, in different units.
            guard let instrument = existing as? I else { throw .kind(kind) }
            families[name]?.series[labels.values] = .recorded(instrument, users: users + 1)
            return instrument
        case .collected:
            throw .seriesTwice
        case nil:
            guard seriesCount < maxSeries else { throw .full }
            let usual = MetricName.unit(family: name) == "seconds" ? MetricDescription.durationBuckets : MetricDescription.valueBuckets
            let instrument = make(SeriesKey(family: name, values: labels.values), family.buckets ?? usual)
            add(.recorded(instrument, users: 1), labels.values, to: family)
            return instrument
        }
    }

    /// Adds a figure of one scrape.
    mutating func collect(
        family name: String, _ kind: MetricKind, _ labels: MetricLabels, _ number: MetricNumber
    ) throws(MetricRefusal) {
        let family = try family(name, kind, labels)
        guard family.series[labels.values] == nil else { throw .seriesTwice }
        guard seriesCount < maxSeries else { throw .full }
        add(.collected(number), labels.values, to: family)
    }

    /// Removes the instrument if all who got it have destroyed it.
    mutating func destroy(_ instrument: any Instrument) {
        let key = instrument.key
        guard case .recorded(let existing, let users) = families[key.family]?.series[key.values], existing === instrument else { return }
        guard users == 1 else {
            families[key.family]?.series[key.values] = .recorded(existing, users: users - 1)
            return
        }
        families[key.family]?.series[key.values] = nil
        seriesCount -= 1
        guard let family = families[key.family], family.series.isEmpty, !family.isDescribed else { return }
        families[family.name] = nil
        for name in MetricName.taken(family: family.name, family.kind) { owners[name] = nil }
    }

    /// The family that is there, or the one that could be added.
    private func family(_ name: String, _ kind: MetricKind, _ labels: MetricLabels) throws(MetricRefusal) -> Family {
        if let family = families[name] {
            guard family.kind == kind else { throw .kind(family.kind) }
            guard family.labelNames == labels.names else { throw .labels(family.labelNames) }
            return family
        }
        let family = Family(
            name: name, kind: kind, help: Self.genericHelp, labelNames: labels.names, buckets: nil, isDescribed: false)
        try check(family)
        return family
    }

    private func check(_ family: Family) throws(MetricRefusal) {
        for name in MetricName.taken(family: family.name, family.kind) {
            if let owner = owners[name] { throw .clash(name: name, family: owner) }
        }
    }

    private mutating func add(_ family: Family) {
        families[family.name] = family
        for name in MetricName.taken(family: family.name, family.kind) { owners[name] = family.name }
    }

    private mutating func add(_ series: Series, _ values: [String], to family: Family) {
        if families[family.name] == nil { add(family) }
        families[family.name]?.series[values] = series
        seriesCount += 1
    }
}
