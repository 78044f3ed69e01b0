import Logging

/// The parts of the gateway that log under names of their own: what `log.levels` can name.
enum LogModule: String, CaseIterable {
    /// Start, stop, configuration.
    case gateway = "gateway"
    /// Sessions, exchanges, streams.
    case core = "gateway.core"
    /// Requests of clients.
    case http = "gateway.http"
    /// Servers behind the gateway, and what they say on standard error.
    case upstream = "gateway.upstream"
    /// The embedded store.
    case store = "gateway.store"

    var logger: Logger { Logger(label: rawValue) }
}
