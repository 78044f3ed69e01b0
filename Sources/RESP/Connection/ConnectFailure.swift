/// Why a connection could not be made, or ended.
struct ConnectFailure: Error, Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        /// Refused, timed out, broken, not encrypted as expected.
        case unreachable
        /// The server lets the client not in: it does not accept the credentials or asks for some, or the user may not use the database.
        case refused
        /// It serves, but is no master.
        case notMaster
        /// It does not serve yet, or does not take a command of the handshake.
        case notReady
    }

    let kind: Kind
    /// Without secrets: it is logged.
    let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
