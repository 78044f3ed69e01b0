/// Why bytes are not one JSON text (RFC 8259), with the offset of the byte that shows it.
public struct JSONScanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: String, Hashable, Sendable {
        case unexpectedByte = "unexpected byte"
        case unexpectedEnd = "unexpected end of input"
        case invalidNumber = "invalid number"
        case invalidEscape = "invalid escape sequence"
        case invalidUTF8 = "invalid UTF-8"
        case controlCharacter = "unescaped control character in a string"
        case tooDeep = "nested too deeply"
        case trailingBytes = "bytes after the end of the value"
        case duplicateKey = "duplicate key in the message envelope"
        case tooLarge = "message too large"
    }

    /// What is wrong.
    public let reason: Reason
    /// Offset in bytes from the start of the text.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) at byte \(offset)" }
}
