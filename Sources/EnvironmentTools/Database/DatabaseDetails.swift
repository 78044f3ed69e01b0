/// A PostgreSQL server that answered.
struct DatabaseDetails: Encodable, Sendable, Equatable {
    var host: String
    var port: Int
    var `protocol` = "postgresql"
    /// Whether the server offers TLS.
    var tls: Bool
    /// Name look-up and TCP connect.
    var connectMilliseconds: Double
    /// From the first byte sent to the first byte received.
    var latencyMilliseconds: Double
}
