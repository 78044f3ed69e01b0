/// Why an event stream cannot be read any further.
public enum SSEError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A line or the data of an event is larger than allowed, in bytes.
    case eventTooLarge(limit: Int)

    public var description: String {
        switch self {
        case .eventTooLarge(let limit): "an event of the stream is larger than the limit of \(limit) bytes"
        }
    }
}
