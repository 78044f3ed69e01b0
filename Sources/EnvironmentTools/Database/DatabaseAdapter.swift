import NIOCore
import NIOPosix

/// Finds out whether a PostgreSQL server listens where the configuration says. Sends no name, no password and no query.
struct DatabaseAdapter: Sendable {
    private let endpoint: EnvironmentToolsSettings.DatabaseEndpoint?
    private let timeout: Duration
    private let eventLoopGroup: any EventLoopGroup
    private let clock: any Clock<Duration>

    init(
        settings: EnvironmentToolsSettings, eventLoopGroup: any EventLoopGroup, clock: any Clock<Duration> = ContinuousClock()
    ) {
        endpoint = settings.database
        timeout = settings.databaseTimeout
        self.eventLoopGroup = eventLoopGroup
        self.clock = clock
    }

    /// What to report when `report()` takes longer than the settings allow.
    var timedOut: PartReport<DatabaseDetails> {
        .without(
            .unreachable,
            "\(place) did not answer within \(timeout.text): a firewall drops the connection, or what listens there is not PostgreSQL")
    }

    /// Cancelling closes the connection.
    func report() async -> PartReport<DatabaseDetails> {
        guard let endpoint else { return .without(.notConfigured, "the configuration names no database") }
        guard (1...65535).contains(endpoint.port) else {
            return .without(.error, "the configured database port \(endpoint.port) is not between 1 and 65535")
        }
        let probe: PostgresProbe.Result
        do {
            probe = try await PostgresProbe.run(
                host: endpoint.host, port: endpoint.port, timeout: timeout, eventLoopGroup: eventLoopGroup, clock: clock)
        } catch {
            return .without(.unreachable, "\(place): \(reason(error))")
        }
        let tls: Bool
        switch probe.answer {
        case UInt8(ascii: "S"): tls = true
        // "E" is an error message from a server that is starting, full or very old; the message itself proves PostgreSQL.
        case UInt8(ascii: "N"), UInt8(ascii: "E"): tls = false
        case nil:
            return .without(.error, "\(place) closed the connection without an answer: it is not PostgreSQL, or it is shutting down")
        default: return .without(.error, "\(place) is reachable, but what listens there does not speak the PostgreSQL protocol")
        }
        return .available(
            DatabaseDetails(
                host: endpoint.host, port: endpoint.port, tls: tls,
                connectMilliseconds: probe.connect.milliseconds, latencyMilliseconds: probe.latency.milliseconds))
    }

    private var place: String { endpoint.map { "\($0.host):\($0.port)" } ?? "the database" }

    private func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // One error for each address that was tried; the last tells as much as all.
            if let last = error.connectionErrors.last { return reason(last.error) }
            return "the host name is unknown"
        case ChannelError.connectTimeout:
            return "no connection within \(timeout.text)"
        case let error as IOError where ConnectFailure(error) == .refused:
            return "connection refused; nothing listens on this port"
        default:
            return "\(error)"
        }
    }
}
