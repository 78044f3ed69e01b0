/// Where Redis is, as the user wrote it: with secrets. What prints the value shows nothing of it; the driver reads it and tells what is no secret.
public struct RedisURL: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URL: for the driver alone.
    public let text: String

    public init(_ text: String) { self.text = text }

    public var description: String { "a Redis URL, not shown" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["redacted": description]) }
}
