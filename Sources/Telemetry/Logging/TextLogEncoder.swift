import Logging

/// Writes records for people: `21:16:43.123 INFO    message  key=value`.
///
/// Control characters are escaped, so a value from outside can neither forge a line nor steer the terminal.
struct TextLogEncoder: Sendable {
    let timestamp: LogTimestamp
    let colours: Bool

    func encode(_ record: LogRecord, to line: inout [UInt8]) {
        coloured(.dim, &line) { timestamp.write(record.nanoseconds, timeOnly: true, to: &$0) }
        line.append(UInt8(ascii: " "))
        let level = record.level.rawValue.uppercased()
        coloured(Colour(record.level), &line) { $0 += level.utf8 }
        line += repeatElement(UInt8(ascii: " "), count: max(1, 9 - level.utf8.count))
        Self.append(record.message, to: &line)
        for (key, value) in record.metadata {
            line.append(UInt8(ascii: " "))
            coloured(.dim, &line) { Self.append(key + "=", to: &$0) }
            Self.append(value: "\(value)", to: &line)
        }
        line.append(UInt8(ascii: "\n"))
    }

    private static func append(value: String, to line: inout [UInt8]) {
        let needsQuotes = value.isEmpty || value.utf8.contains { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=") }
        if needsQuotes { JSONLogEncoder.append(escaped(value, keepingASCII: true), to: &line) } else { append(value, to: &line) }
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line += escaped(text, keepingASCII: false).utf8
    }

    /// Escapes the C1 controls and the line separators of Unicode, and the ASCII controls unless the JSON rules do that afterwards.
    private static func escaped(_ text: String, keepingASCII: Bool) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0..<0x20, 0x7f: !keepingASCII
            case 0x80...0x9f, 0x2028, 0x2029: true
            default: false
            }
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n" where !keepingASCII: result += #"\n"#
            case _ where isControl(scalar): result += "<U+" + String(scalar.value, radix: 16, uppercase: true) + ">"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private enum Colour: String {
        case dim = "\u{1b}[2m"
        case green = "\u{1b}[32m"
        case cyan = "\u{1b}[36m"
        case yellow = "\u{1b}[33m"
        case red = "\u{1b}[31m"
        case boldRed = "\u{1b}[1;31m"

        init(_ level: Logger.Level) {
            switch level {
            case .trace, .debug: self = .dim
            case .info: self = .green
            case .notice: self = .cyan
            case .warning: self = .yellow
            case .error: self = .red
            case .critical: self = .boldRed
            }
        }
    }

    private func coloured(_ colour: Colour, _ line: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        guard colours else { return body(&line) }
        line += colour.rawValue.utf8
        body(&line)
        line += "\u{1b}[0m".utf8
    }
}
