public import NIOCore

/// Decodes a JSON string with its quotes; nil when the bytes are no string. Lone surrogates become U+FFFD.
func decodeJSONString(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard bytes.count >= 2, bytes[0] == UInt8(ascii: "\""), bytes[bytes.count - 1] == UInt8(ascii: "\"") else { return nil }
    return decodeJSONStringContent(UnsafeRawBufferPointer(rebasing: bytes[1..<bytes.count - 1]))
}

/// Decodes what lies between the quotes of a validated JSON string.
func decodeJSONStringContent(_ content: UnsafeRawBufferPointer) -> String {
    guard content.contains(UInt8(ascii: "\\")) else { return String(decoding: content, as: UTF8.self) }
    var units: [UInt16] = []
    var result = ""
    var plainStart = 0
    var position = 0

    func flushUnits() {
        guard !units.isEmpty else { return }
        result += String(decoding: units, as: UTF16.self)
        units.removeAll()
    }

    while position < content.count {
        guard content[position] == UInt8(ascii: "\\"), position + 1 < content.count else {
            position += 1
            continue
        }
        if plainStart < position {
            flushUnits()
            result += String(decoding: content[plainStart..<position], as: UTF8.self)
        }
        switch content[position + 1] {
        case UInt8(ascii: "u") where position + 5 < content.count:
            var unit: UInt16 = 0
            for offset in 2..<6 { unit = unit << 4 | UInt16(Hexadecimal.value(of: content[position + offset]) ?? 0) }
            units.append(unit)
            position += 6
        case let escape:
            flushUnits()
            switch escape {
            case UInt8(ascii: "b"): result += "\u{8}"
            case UInt8(ascii: "f"): result += "\u{c}"
            case UInt8(ascii: "n"): result += "\n"
            case UInt8(ascii: "r"): result += "\r"
            case UInt8(ascii: "t"): result += "\t"
            default: result.unicodeScalars.append(Unicode.Scalar(escape))
            }
            position += 2
        }
        plainStart = position
    }
    flushUnits()
    if plainStart < content.count { result += String(decoding: content[plainStart...], as: UTF8.self) }
    return result
}

extension ByteBuffer {
    /// Appends `string` as a JSON string, quotes included.
    public mutating func writeJSONString(_ string: some StringProtocol) {
        writeInteger(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): writeStaticString("\\\"")
            case UInt8(ascii: "\\"): writeStaticString("\\\\")
            case 0x0A: writeStaticString("\\n")
            case 0x0D: writeStaticString("\\r")
            case 0x09: writeStaticString("\\t")
            case 0..<0x20:
                writeStaticString("\\u00")
                writeInteger(Hexadecimal.digit(byte >> 4))
                writeInteger(Hexadecimal.digit(byte & 15))
            default: writeInteger(byte)
            }
        }
        writeInteger(UInt8(ascii: "\""))
    }

    /// Appends `number` in decimal.
    public mutating func writeDecimal(_ number: UInt64) {
        var remainder = number
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var start = 20
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(remainder % 10)
                remainder /= 10
            } while remainder > 0
            _ = writeBytes(UnsafeRawBufferPointer(rebasing: digits[start..<20]))
        }
    }

    /// A buffer that holds `string` as a JSON string.
    public static func jsonString(_ string: some StringProtocol) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeJSONString(string)
        return buffer
    }
}
