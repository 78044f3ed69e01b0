public import NIOCore

/// A value of RESP2 or RESP3.
///
/// Blobs are slices of what was read from the socket: nothing is copied. A small blob that is kept for long keeps the whole read buffer in memory;
/// whoever stores one copies it (`ByteBuffer(bytes: blob.readableBytesView)`).
public enum RESPValue: Sendable, Hashable {
    /// `_`, and the null blob and null array of RESP2.
    case null
    case simpleString(String)
    case blobString(ByteBuffer)
    /// `-` and `!`.
    case error(RESPServerError)
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    /// A number of any length, as decimal digits.
    case bigNumber(String)
    /// Text with a format of three letters (`txt`, `mkd`).
    case verbatim(format: String, ByteBuffer)
    case array([RESPValue])
    case set([RESPValue])
    /// In the order of the wire; the server may repeat keys.
    case map([Entry])
    /// What the server sends unasked (pub/sub). Only ever the outermost value.
    case push([RESPValue])

    /// One pair of a map.
    public struct Entry: Sendable, Hashable {
        public var key: RESPValue
        public var value: RESPValue

        public init(key: RESPValue, value: RESPValue) {
            self.key = key
            self.value = value
        }
    }
}
