/// An error that the server answered.
public struct RESPServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The whole text, its first word being the code: `WRONGTYPE Operation against a key …`.
    public let message: String

    public init(_ message: String) { self.message = message }

    /// The first word, by convention in capitals: `ERR`, `WRONGTYPE`, `READONLY`.
    public var code: Substring { message.prefix { $0 != " " } }

    public var description: String { message }
}

extension RESPServerError {
    /// What an error says about the command that it answers.
    enum Remedy: Sendable, Equatable {
        /// The answer is final.
        case none
        /// Not executed: this server is no master, or not yet one that serves.
        case otherServer
        /// Not executed: the server will take it before long.
        case later
        /// Not executed: the server does not know the script (any more).
        case loadScript
    }

    /// Errors after which a command may be sent again, because the server refused it before it did anything.
    var remedy: Remedy {
        switch code {
        case "READONLY", "LOADING", "MASTERDOWN": .otherServer
        case "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY": .later
        case "NOSCRIPT": .loadScript
        default: .none
        }
    }
}
