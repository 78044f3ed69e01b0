/// Where a JSON value lies in a message: byte offsets from the message's first byte.
public struct JSONSpan: Hashable, Sendable {
    /// Offset of the value's first byte.
    public let start: UInt32
    /// Offset of the byte after the value's last.
    public let end: UInt32

    /// The span of a member that is not there.
    public static let absent = JSONSpan(start: 0, end: 0)

    /// A span from `start` up to, not including, `end`.
    @inlinable
    public init(start: UInt32, end: UInt32) {
        self.start = start
        self.end = end
    }

    @inlinable
    init(_ start: Int, _ end: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.end = UInt32(truncatingIfNeeded: end)
    }

    /// Whether the member is there.
    @inlinable
    public var isPresent: Bool { end != 0 }

    /// Length in bytes.
    @inlinable
    public var count: Int { Int(end - start) }

    @inlinable
    var range: Range<Int> { Int(start)..<Int(end) }
}
