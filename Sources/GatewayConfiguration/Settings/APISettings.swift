/// The REST API under `/api` and `/sse/events` (`gateway.api`).
public struct APISettings: Sendable, Equatable {
    /// Whether it is served.
    public var enabled = true
    /// How long a ticket for `/sse/events` is valid.
    public var ticketLifetime = Duration.seconds(30)
    /// Bytes of the `metadata` of one session.
    public var maxMetadataBytes = 16 << 10

    /// The defaults.
    public init() {}
}
