/// Why nothing was imported.
public struct ImportError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What happened, where, and what to do.
    public var message: String

    /// - Parameter message: what happened, where, and what to do.
    public init(_ message: String) {
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
