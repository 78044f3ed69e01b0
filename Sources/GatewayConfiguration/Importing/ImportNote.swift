/// Something that the user should know about one entry of an import.
public struct ImportNote: Sendable, Equatable, CustomStringConvertible {
    /// What happened to the entry.
    public enum Kind: String, Sendable, Equatable {
        /// The entry was taken over, with a difference.
        case changed
        /// The entry was left out.
        case skipped
        /// Something that the user may want to do.
        case hint
    }

    /// What happened to the entry.
    public var kind: Kind
    /// Name of the entry in the imported file.
    public var server: String
    /// What the user should know; no secret.
    public var message: String

    /// - Parameters:
    ///   - kind: what happened to the entry.
    ///   - server: its name in the imported file.
    ///   - message: what the user should know; no secret.
    public init(_ kind: Kind, server: String, message: String) {
        self.kind = kind
        self.server = server
        self.message = message
    }

    /// One line.
    public var description: String { "\(kind.rawValue): \(server): \(message)" }
}
