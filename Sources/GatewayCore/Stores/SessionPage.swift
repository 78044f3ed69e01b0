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
/// Clients see it, so it has no more of an id than may be shown (``SessionID/shortened``). Of two sessions that a client made in the same
/// millisecond and whose ids begin alike (20 random bits) the second is left out where a page ends between them.
public struct SessionPosition: Sendable, Hashable, CustomStringConvertible {
    /// When the session before this place was created.
    public let createdAt: WallTime
    /// The first 32 bits of its id.
    private let beginning: UInt32

    /// Behind a session.
    public init(after id: SessionID, createdAt: WallTime) {
        self.createdAt = createdAt
        beginning = UInt32(id.high >> 32)
    }

    /// Reads a ``description``; nil for anything else.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, (1...15).contains(parts[0].count), parts[0].allSatisfy({ (0x30...0x39).contains($0) }), parts[1].count == 8,
            parts[1].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let milliseconds = Int64(String(decoding: parts[0], as: UTF8.self)),
            let beginning = UInt32(String(decoding: parts[1], as: UTF8.self), radix: 16)
        else { return nil }
        createdAt = WallTime(milliseconds: milliseconds)
        self.beginning = beginning
    }

    /// 1 – 15 digits, a hyphen and 8 hexadecimal digits in lower case.
    public var description: String {
        let digits = String(beginning, radix: 16)
        return "\(createdAt.milliseconds)-" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The last of all ids that are before this place, if they were made in that millisecond.
    public var lastID: SessionID { SessionID(high: UInt64(beginning) << 32 | 0xFFFF_FFFF, low: .max) }
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
