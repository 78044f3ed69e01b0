/// The id of an event that can be resumed after, written as `<stream>.<sequence>`.
///
/// It keeps its pieces, so that writing one makes no string.
public struct SSEEventID: Sendable, Hashable {
    /// What comes before the dot. Must have no line breaks and no NUL, which would end or void the field.
    public let stream: String
    public let sequence: UInt64

    public init(stream: String, sequence: UInt64) {
        self.stream = stream
        self.sequence = sequence
    }
}
