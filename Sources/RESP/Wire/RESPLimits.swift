/// Bounds of what a server may send. Beyond one the connection is closed (``RESPParserError/limit(_:value:)``).
public struct RESPLimits: Sendable, Hashable {
    /// Levels of nested arrays, maps, sets, pushes and attributes.
    public var maxDepth = 32
    /// Bytes of one blob; Redis allows 512 MiB by default (`proto-max-bulk-len`).
    public var maxBlobBytes = 512 * 1024 * 1024
    /// Elements of one array, set or push; a pair of a map counts as two.
    public var maxElements = 1024 * 1024
    /// Bytes of a simple string, an error or a number.
    public var maxLineBytes = 64 * 1024
    /// Bytes of one reply, with everything in it.
    public var maxReplyBytes = 1024 * 1024 * 1024

    public init() {}
}

/// Why bytes are not RESP, or more of it than is allowed. Nothing can be read after it.
public enum RESPParserError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A value begins with a byte that stands for no type.
    case unknownType(UInt8)
    /// A value of the type that the byte stands for is malformed.
    case malformed(type: UInt8, reason: String)
    /// A bound of ``RESPLimits`` was exceeded.
    case limit(String, value: Int)

    public var description: String {
        switch self {
        case .unknownType(let byte): "the server sent a value of unknown type (byte \(byte))"
        case .malformed(let type, let reason): "the server sent a malformed value of type '\(Character(Unicode.Scalar(type)))': \(reason)"
        case .limit(let name, let value): "the server sent more than \(name) allows (\(value))"
        }
    }
}
