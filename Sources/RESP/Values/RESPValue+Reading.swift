public import NIOCore

/// Readers that hide the difference between RESP2 and RESP3. Each is nil for a value of another kind.
extension RESPValue {
    public var isNull: Bool { self == .null }

    /// The bytes of a string of any kind. Only of `simpleString` a copy.
    public var bytes: ByteBuffer? {
        switch self {
        case .blobString(let bytes), .verbatim(_, let bytes): bytes
        case .simpleString(let text): ByteBuffer(string: text)
        default: nil
        }
    }

    /// The text of a string of any kind; bytes that are no UTF-8 are replaced by U+FFFD.
    public var text: String? {
        switch self {
        case .blobString(let bytes), .verbatim(_, let bytes): String(buffer: bytes)
        case .simpleString(let text), .bigNumber(let text): text
        default: nil
        }
    }

    /// An integer, also as a boolean or as the digits of a string.
    public var int: Int64? {
        switch self {
        case .integer(let number): number
        case .boolean(let isTrue): isTrue ? 1 : 0
        case .blobString, .simpleString, .bigNumber, .verbatim: text.flatMap { Int64($0) }
        default: nil
        }
    }

    /// A number, also as the digits of a string (RESP2 has no doubles).
    public var number: Double? {
        switch self {
        case .double(let number): number
        case .integer(let number): Double(number)
        case .blobString, .simpleString: text.flatMap { Double($0) }
        default: nil
        }
    }

    /// The elements of an array, set or push.
    public var elements: [RESPValue]? {
        switch self {
        case .array(let elements), .set(let elements), .push(let elements): elements
        default: nil
        }
    }

    /// The pairs of a map, also of a flat array of keys and values (RESP2 has no maps).
    public var entries: [Entry]? {
        switch self {
        case .map(let entries): return entries
        case .array(let elements) where elements.count.isMultiple(of: 2):
            return stride(from: 0, to: elements.count, by: 2).map { Entry(key: elements[$0], value: elements[$0 + 1]) }
        default: return nil
        }
    }

    /// What kind of value it is, for messages.
    public var kind: StaticString {
        switch self {
        case .null: "null"
        case .simpleString: "simple string"
        case .blobString: "blob string"
        case .error: "error"
        case .integer: "integer"
        case .double: "double"
        case .boolean: "boolean"
        case .bigNumber: "big number"
        case .verbatim: "verbatim string"
        case .array: "array"
        case .set: "set"
        case .map: "map"
        case .push: "push"
        }
    }
}
