/// The labels of one series, by name.
struct MetricLabels: Sendable, Hashable {
    let names: [String]
    let values: [String]

    static let none = MetricLabels(names: [], values: [])

    private init(names: [String], values: [String]) {
        self.names = names
        self.values = values
    }

    /// - Throws: if two dimensions have one name, or one has a name that histograms need.
    init(_ dimensions: [(String, String)]) throws(MetricRefusal) {
        guard !dimensions.isEmpty else {
            self = .none
            return
        }
        let sorted = dimensions.map { (name: MetricName.label($0.0), value: $0.1) }.sorted { $0.name < $1.name }
        names = sorted.map(\.name)
        values = sorted.map(\.value)
        for (name, next) in zip(names, names.dropFirst()) where name == next { throw .labelTwice(name) }
        if names.contains("le") { throw .reservedLabel("le") }
    }
}
