import NIOConcurrencyHelpers

/// Writes ISO 8601 times in UTC with milliseconds. The part up to the second is kept, since many lines share it.
final class LogTimestamp: Sendable {
    private struct Cached {
        var second: Int64 = .min
        /// `2026-11-23T21:16:43`
        var text: [UInt8] = []
    }

    private let cached = NIOLockedValueBox(Cached())

    /// - Parameters:
    ///   - nanoseconds: since 1970-01-01T00:00:00Z.
    ///   - timeOnly: leaves the date out, for terminals.
    func write(_ nanoseconds: Int64, timeOnly: Bool = false, to line: inout [UInt8]) {
        let (second, rest) = Self.floorDivision(nanoseconds, 1_000_000_000)
        let text = cached.withLockedValue { cached in
            if cached.second != second { cached = Cached(second: second, text: Self.text(second: second)) }
            return cached.text
        }
        if timeOnly { line += text.dropFirst(11) } else { line += text }
        line.append(UInt8(ascii: "."))
        Self.append(rest / 1_000_000, digits: 3, to: &line)
        if !timeOnly { line.append(UInt8(ascii: "Z")) }
    }

    private static func text(second: Int64) -> [UInt8] {
        let (day, secondOfDay) = floorDivision(second, 86_400)
        let (year, month, dayOfMonth) = civil(daysSince1970: day)
        var text: [UInt8] = []
        append(year, digits: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        append(month, digits: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        append(dayOfMonth, digits: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        append(secondOfDay / 3600, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(secondOfDay / 60 % 60, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        append(secondOfDay % 60, digits: 2, to: &text)
        return text
    }

    /// The date in the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    private static func civil(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivision(daysSince1970 + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func floorDivision(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func append(_ value: Int64, digits: Int, to text: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
