/// Durations as people write them: `200ms`, `30s`, `10m`, `24h`, `7d`; a bare number is seconds.
enum DurationText {
    /// The longest duration that any key accepts; keeps nanoseconds within 64 bits.
    static let longest = Duration.seconds(366 * 86_400)

    private static let units: [(suffix: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9),
    ]

    /// `nil` if the text is no duration, is negative, or is longer than `longest`.
    static func parse(_ text: String) -> Duration? {
        let trimmed = text.filter { $0 != " " }
        let digits = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = String(trimmed.dropFirst(digits.count))
        guard let number = Double(digits), number.isFinite, number >= 0 else { return nil }
        let unit = suffix.isEmpty ? "s" : suffix
        guard let factor = units.first(where: { $0.suffix == unit })?.nanoseconds else { return nil }
        let nanoseconds = number * factor
        guard nanoseconds <= Double(longest.wholeNanoseconds) else { return nil }
        return .nanoseconds(Int64(nanoseconds.rounded()))
    }

    /// The shortest exact text: `1500ms`, `90s`, `24h`, `7d`. One day is `24h`.
    static func format(_ duration: Duration) -> String {
        let nanoseconds = duration.wholeNanoseconds
        if nanoseconds == 0 { return "0s" }
        let exact = units.last { nanoseconds % Int64($0.nanoseconds) == 0 && ($0.suffix != "d" || duration > .seconds(86_400)) }
        let unit = exact ?? units[0]
        return "\(nanoseconds / Int64(unit.nanoseconds))\(unit.suffix)"
    }
}

extension Duration {
    /// Nanoseconds, cut to 64 bits; every duration of a configuration fits.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }
}
