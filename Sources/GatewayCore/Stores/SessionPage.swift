import MCPProtocol

/// A session as it appears in a list.
public struct SessionSummary: Sendable, Hashable {
    public let id: SessionID
    public let clientID: String
    public let createdAt: WallTime
    public let lastSeen: WallTime

    public init(id: SessionID, clientID: String, createdAt: WallTime, lastSeen: WallTime) {
        self.id = id
        self.clientID = clientID
        self.createdAt = createdAt
        self.lastSeen = lastSeen
    }
}

/// A place in the list of a client's sessions, which is ordered by when they were created, and of those of one millisecond by their ids.
///
/// Clients see it, and ids are credentials, so it has the first half of an id only: there is no other id with that half, and which second half goes
/// with it only those know who have the cluster's key (``SessionIDAuthority``).
public struct SessionPosition: Sendable, Hashable, CustomStringConvertible {
    /// When the session before this place was created.
    public let createdAt: WallTime
    /// The first 64 bits of its id.
    private let half: UInt64

    /// Behind a session.
    public init(after id: SessionID, createdAt: WallTime) {
        self.createdAt = createdAt
        half = id.high
    }

    /// Reads a ``description``; nil for anything else.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, (1...15).contains(parts[0].count), parts[0].allSatisfy({ (0x30...0x39).contains($0) }),
            parts[1].count == 16,
            !parts[1].contains(where: { (0x41...0x46).contains($0) }), let milliseconds = Int64(Substring(parts[0])),
            let bytes = Hexadecimal.bytes(of: Substring(parts[1]))
        else { return nil }
        createdAt = WallTime(milliseconds: milliseconds)
        half = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// 1 – 15 digits, a hyphen and 16 hexadecimal digits in lower case.
    public var description: String {
        "\(createdAt.milliseconds)-" + Hexadecimal.text(of: (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) })
    }

    /// The last of all ids that are not behind this place, if they were made in that millisecond.
    public var lastID: SessionID { SessionID(high: half, low: .max) }
}

/// A part of a list of sessions.
public struct SessionPage: Sendable, Equatable {
    /// Oldest first.
    public let sessions: [SessionSummary]
    /// Where the list goes on; nil at its end. Also a page with fewer sessions than were asked for may not be the last.
    public let next: SessionPosition?

    public init(sessions: [SessionSummary], next: SessionPosition?) {
        self.sessions = sessions
        self.next = next
    }
}
