/// Makes names that Prometheus takes from the labels and dimensions that programs and libraries choose.
///
/// Metric names are `[a-zA-Z_:][a-zA-Z0-9_:]*` (colons belong to recording rules, so none is made), label names
/// `[a-zA-Z_][a-zA-Z0-9_]*`; those that begin with two underscores are Prometheus's own.
enum MetricName {
    private static let total = "_total"

    /// The name of the family: in OpenMetrics a counter's family is called without the `_total` of its line.
    static func family(_ label: String, _ kind: MetricKind) -> String {
        let name = valid(label)
        guard kind == .counter, name.utf8.count > total.utf8.count, name.hasSuffix(total) else { return name }
        return String(name.dropLast(total.utf8.count))
    }

    /// What timers are called: they are exposed in seconds, and the name says so.
    static func duration(_ label: String) -> String {
        let name = valid(label)
        return name.hasSuffix("_seconds") ? name : name + "_seconds"
    }

    /// The name of a counter's line.
    static func counter(family: String) -> String { family + total }

    /// All names that a family's lines and headers have, in either format.
    static func taken(family: String, _ kind: MetricKind) -> [String] {
        switch kind {
        case .counter: [family, counter(family: family)]
        case .gauge: [family]
        case .histogram: [family, family + "_bucket", family + "_count", family + "_sum"]
        }
    }

    /// The unit that a family's name ends in, if it is one of those in use.
    static func unit(family: String) -> String? {
        ["seconds", "bytes"].first { family.hasSuffix("_" + $0) }
    }

    /// A label's name.
    static func label(_ dimension: String) -> String {
        let name = valid(dimension)
        guard name.hasPrefix("__") else { return name }
        return "_" + name.drop { $0 == "_" }
    }

    private static func valid(_ name: String) -> String {
        func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z") }
        func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
        func isValid(_ byte: UInt8) -> Bool { isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_") }
        guard let first = name.utf8.first else { return "_" }
        if !isDigit(first), name.utf8.allSatisfy(isValid) { return name }
        let replaced = String(decoding: name.utf8.map { isValid($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        return isDigit(first) ? "_" + replaced : replaced
    }
}
