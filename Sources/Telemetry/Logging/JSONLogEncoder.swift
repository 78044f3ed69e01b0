import Logging

/// Writes records as JSON objects, one per line: `time`, `level`, `logger`, `message`, then the metadata.
struct JSONLogEncoder: Sendable {
    let timestamp: LogTimestamp

    /// Names of the line's own members; metadata of the same name gets `metadata.` before it, since a JSON object must not name a
    /// member twice.
    private static let reserved: Set<String> = ["time", "level", "logger", "message"]

    func encode(_ record: LogRecord, to line: inout [UInt8]) {
        line += #"{"time":""#.utf8
        timestamp.write(record.nanoseconds, to: &line)
        line += #"","level":""#.utf8
        line += record.level.rawValue.utf8
        line += #"","logger":"#.utf8
        Self.append(record.label, to: &line)
        line += #","message":"#.utf8
        Self.append(record.message, to: &line)
        for (key, value) in record.metadata {
            line.append(UInt8(ascii: ","))
            Self.append(Self.reserved.contains(key) ? "metadata." + key : key, to: &line)
            line.append(UInt8(ascii: ":"))
            Self.append(value, to: &line)
        }
        line += "}\n".utf8
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout [UInt8]) {
        switch value {
        case .string(let text):
            append(text, to: &line)
        case .stringConvertible(let convertible):
            append(convertible, to: &line)
        case .array(let values):
            line.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(value, to: &line)
            }
            line.append(UInt8(ascii: "]"))
        case .dictionary(let dictionary):
            line.append(UInt8(ascii: "{"))
            for (index, entry) in dictionary.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(entry.key, to: &line)
                line.append(UInt8(ascii: ":"))
                append(entry.value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        }
    }

    /// Numbers and booleans stay what they are, so that log stores can compare them.
    private static func append(_ value: any CustomStringConvertible, to line: inout [UInt8]) {
        switch value {
        case let number as any BinaryInteger: line += String(describing: number).utf8
        case let number as Double where number.isFinite: line += number.description.utf8
        case let flag as Bool: line += (flag ? "true" : "false").utf8
        default: append(value.description, to: &line)
        }
    }

    /// Appends a JSON string (RFC 8259, section 7). Swift strings are valid UTF-8 always: broken input was repaired with U+FFFD when
    /// the string was made.
    static func append(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            case UInt8(ascii: "\n"): line += #"\n"#.utf8
            case UInt8(ascii: "\r"): line += #"\r"#.utf8
            case UInt8(ascii: "\t"): line += #"\t"#.utf8
            // DEL need not be escaped, but some terminals act on it.
            case 0..<0x20, 0x7f:
                line += #"\u00"#.utf8
                line.append(hexadecimal(byte >> 4))
                line.append(hexadecimal(byte & 0xf))
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
