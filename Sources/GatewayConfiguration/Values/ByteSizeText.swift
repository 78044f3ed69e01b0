/// Sizes as people write them: `16MiB`, `4MB`, `512`; a bare number is bytes.
enum ByteSizeText {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("gib", 1 << 30), ("mib", 1 << 20), ("kib", 1 << 10), ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1000), ("b", 1),
    ]

    /// `nil` if the text is no size, is negative, is not a whole number of bytes, or does not fit.
    static func parse(_ text: String) -> Int? {
        let trimmed = text.filter { $0 != " " }
        let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = trimmed.dropFirst(digits.count).lowercased()
        let unit = suffix.isEmpty ? "b" : suffix
        guard let factor = units.first(where: { $0.suffix == unit })?.bytes else { return nil }
        if let whole = Int(digits) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        guard let number = Double(digits), number.isFinite, number >= 0 else { return nil }
        let bytes = number * Double(factor)
        guard bytes < 9e15, bytes == bytes.rounded() else { return nil }
        return Int(bytes)
    }

    /// The shortest exact text: `16MiB`, `1000`.
    static func format(_ bytes: Int) -> String {
        for (suffix, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= factor && bytes % factor == 0 {
            return "\(bytes / factor)\(suffix)"
        }
        return "\(bytes)"
    }
}
