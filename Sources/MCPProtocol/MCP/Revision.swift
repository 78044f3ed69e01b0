/// A published revision of the Model Context Protocol.
public enum Revision: String, Sendable, Hashable, CaseIterable, Comparable {
    case v2024_11_05 = "2024-11-05"
    case v2025_03_26 = "2025-03-26"
    case v2025_06_18 = "2025-06-18"
    case v2025_11_25 = "2025-11-25"

    /// The newest revision with `initialize` and sessions.
    public static let latestLegacy = Revision.v2025_11_25

    /// What a Streamable HTTP request without an `MCP-Protocol-Version` header speaks (basic/transports, "Protocol Version Header").
    public static let assumedWithoutHeader = Revision.v2025_03_26

    public static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }

    /// JSON-RPC batches: in the protocol until 2025-03-26, removed by 2025-06-18.
    public var hasBatches: Bool { self <= .v2025_03_26 }

    /// An SSE stream begins with an event that has an id and empty data (2025-11-25, "Sending Messages to the Server").
    public var hasPrimingEvents: Bool { self >= .v2025_11_25 }

    /// The revision to answer to a client that asks for `requested` (basic/lifecycle, "Version Negotiation").
    public static func negotiate(requested: String) -> Revision { Revision(rawValue: requested) ?? .latestLegacy }
}
