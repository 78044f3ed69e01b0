import Foundation

/// What Foundation thinks.
enum FoundationJSON {
    /// Nil where it is no authority.
    static func accepts(_ input: UnsafeRawBufferPointer) -> Bool? {
        guard !isQuestionable(input) else { return nil }
        return (try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)) != nil
    }

    /// Foundation guesses UTF-16 and UTF-32 from zeros and byte order marks, allows a comma before a closing bracket, and refuses halves of
    /// surrogate pairs, what no `Double` can hold, and 512 levels.
    private static func isQuestionable(_ input: UnsafeRawBufferPointer) -> Bool {
        guard let first = input.first, first < 0xEF, !input.contains(0) else { return true }
        var brackets = 0
        var digits = 0
        var lastToken: UInt8 = 0
        for (index, byte) in input.enumerated() {
            digits = byte &- UInt8(ascii: "0") < 10 ? digits + 1 : 0
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"): brackets += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if lastToken == UInt8(ascii: ",") { return true }
            case UInt8(ascii: "\\"):
                let escape = input[index...].prefix(4)
                if escape.count == 4, escape[index + 1] == UInt8(ascii: "u"), escape[index + 2] | 0x20 == UInt8(ascii: "d") { return true }
            default: break
            }
            if digits > 200 || digits > 2 && isExponent(input[..<(index - digits + 1)]) { return true }
            if byte > 0x20 { lastToken = byte }
        }
        return brackets > 400
    }

    /// Whether `text` ends in what comes before the digits of an exponent.
    private static func isExponent(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
        let rest = text.last == UInt8(ascii: "+") || text.last == UInt8(ascii: "-") ? text.dropLast() : text
        return rest.last.map { $0 | 0x20 == UInt8(ascii: "e") } ?? false
    }
}
