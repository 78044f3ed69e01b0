/// A published revision of the Model Context Protocol.
public enum Revision: String, Sendable, Hashable, CaseIterable, Comparable {
    case v2024_11_05 = "2024-11-05"
    case v2025_03_26 = "2025-03-26"
    case v2025_06_18 = "2025-06-18"
    case v2025_11_25 = "2025-11-25"
    case v2026_07_28 = "2026-07-28"

    /// The two ways in which client and server agree on what they speak (2026-07-28, basic/versioning, "Terminology").
    public enum Era: Sendable, Hashable {
        /// `initialize` opens a session.
        case legacy
        /// Every request says for itself who asks and in which revision; there is no session.
        case modern
    }

    public var era: Era {
        switch self {
        case .v2024_11_05, .v2025_03_26, .v2025_06_18, .v2025_11_25: .legacy
        case .v2026_07_28: .modern
        }
    }

    /// The newest revision with `initialize` and sessions.
    public static let latestLegacy = Revision.v2025_11_25

    /// The newest revision without them.
    public static let latestModern = Revision.v2026_07_28

    /// The revisions with `initialize` and sessions, oldest first.
    public static let legacy = allCases.filter { $0.era == .legacy }

    /// The revision with that name if it has `initialize`.
    public init?(legacy name: String) {
        guard let revision = Revision(rawValue: name), revision.era == .legacy else { return nil }
        self = revision
    }

    /// What a Streamable HTTP request without an `MCP-Protocol-Version` header speaks (basic/transports, "Protocol Version Header").
    public static let assumedWithoutHeader = Revision.v2025_03_26

    public static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }

    /// JSON-RPC batches: in the protocol until 2025-03-26, removed by 2025-06-18.
    public var hasBatches: Bool { self <= .v2025_03_26 }

    /// An SSE stream begins with an event that has an id and empty data (2025-11-25, "Sending Messages to the Server").
    public var hasPrimingEvents: Bool { self == .v2025_11_25 }

    /// The revision to answer to an `initialize` that asks for `requested` (basic/lifecycle, "Version Negotiation"). A modern revision has no
    /// `initialize`: who asks for it this way gets the newest that has.
    public static func negotiate(requested: String) -> Revision { Revision(legacy: requested) ?? .latestLegacy }
}
