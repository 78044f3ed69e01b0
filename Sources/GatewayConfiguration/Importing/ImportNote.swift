/// Something that the user should know about one entry of an import.
public struct ImportNote: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable, Equatable {
        /// The entry was taken over, with a difference.
        case changed
        /// The entry was left out.
        case skipped
        /// Something that the user may want to do.
        case hint
    }

    public var kind: Kind
    /// Name of the entry in the imported file.
    public var server: String
    public var message: String

    public init(_ kind: Kind, server: String, message: String) {
        self.kind = kind
        self.server = server
        self.message = message
    }

    public var description: String { "\(kind.rawValue): \(server): \(message)" }
}
