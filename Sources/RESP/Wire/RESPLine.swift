import NIOCore

/// A value that is one line, without its first byte and its end.
struct RESPLine {
    let type: RESPType
    let bytes: ByteBufferView

    /// The length of a blob or aggregate; nil for RESP2's null (-1).
    func length(isNullable: Bool) throws(RESPParserError) -> Int? {
        guard let number = integer() else { throw malformed("its length is no number") }
        if number == -1, isNullable { return nil }
        guard number >= 0, let length = Int(exactly: number) else { throw malformed("its length is negative") }
        return length
    }

    /// The value of every type that has neither length nor elements.
    func value() throws(RESPParserError) -> RESPValue {
        switch type {
        case .simpleString: return .simpleString(text)
        case .error: return .error(RESPServerError(text))
        case .integer:
            guard let number = integer() else { throw malformed("no integer of 64 bits") }
            return .integer(number)
        case .null:
            guard bytes.isEmpty else { throw malformed("bytes after it") }
            return .null
        case .boolean:
            guard bytes.count == 1, let letter = bytes.first, letter == UInt8(ascii: "t") || letter == UInt8(ascii: "f") else {
                throw malformed("neither t nor f")
            }
            return .boolean(letter == UInt8(ascii: "t"))
        case .double: return .double(try double())
        case .bigNumber:
            let digits = bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes[...]
            guard !digits.isEmpty, digits.allSatisfy({ $0 &- 0x30 < 10 }) else { throw malformed("no digits") }
            return .bigNumber(text)
        case .blobString, .blobError, .verbatim, .array, .map, .set, .push, .attribute: throw malformed("it is more than a line")
        }
    }

    private var text: String { String(decoding: bytes, as: UTF8.self) }

    private func malformed(_ reason: String) -> RESPParserError { .malformed(type: type.rawValue, reason: reason) }

    private func integer() -> Int64? {
        var digits = bytes[...]
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        var number: Int64 = 0
        for byte in digits {
            let digit = byte &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) =
                isNegative ? product.subtractingReportingOverflow(Int64(digit)) : product.addingReportingOverflow(Int64(digit))
            guard !overflows, !overflowsToo else { return nil }
            number = sum
        }
        return number
    }

    private func double() throws(RESPParserError) -> Double {
        switch text {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        case let text:
            // Swift's own reader takes more, hexadecimal digits for one.
            let allowed: StaticString = "0123456789+-.eE"
            let isDecimal = text.utf8.allSatisfy { byte in
                UnsafeBufferPointer(start: allowed.utf8Start, count: allowed.utf8CodeUnitCount).contains(byte)
            }
            guard isDecimal, let number = Double(text) else { throw malformed("no number") }
            return number
        }
    }
}
