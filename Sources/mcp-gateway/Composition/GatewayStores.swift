import EmbeddedStore
import GatewayConfiguration
import GatewayCore
import Telemetry

/// The stores that the configuration asks for, and what is told of them.
struct GatewayStores: Sendable {
    let sessions: any SessionStore
    let events: any EventLog
    /// Nil where no other instance can share them.
    let cluster: ClusterServices?
    /// The secret of session ids; all instances that share the stores have the same.
    let signingKey: [UInt8]
    let health: @Sendable () -> Health
    /// Adds their figures at a scrape.
    let collect: @Sendable (MetricsCollection) -> Void
    let close: @Sendable () async -> Void

    /// What the stores say of themselves; each a sentence, nil while all is well.
    struct Health: Sendable {
        /// Why they cannot write.
        var store: String?
        /// Why events cannot be logged.
        var eventLog: String?
    }

    /// Opens the stores.
    ///
    /// - Parameter isDurable: false keeps sessions in memory, whatever the configuration says.
    static func open(_ settings: GatewaySettings, isDurable: Bool) throws -> GatewayStores {
        let limits = EventLogLimits(
            maxEventsPerStream: settings.streams.maxEventsPerStream, maxBytesPerStream: settings.streams.maxBytesPerStream)
        guard isDurable, settings.store.kind != .memory else {
            return try embedded(.inMemory(limits: limits, logger: LogModule.store.logger))
        }
        return try embedded(.open(directory: settings.store.dataDirectory, limits: limits, logger: LogModule.store.logger))
    }

    private static func embedded(_ store: EmbeddedStore) throws -> GatewayStores {
        GatewayStores(
            sessions: store, events: store, cluster: nil, signingKey: try store.signingKey(),
            health: { Health(store: store.failure, eventLog: store.eventLogFailure) },
            collect: { collection in
                let statistics = store.statistics
                collection.gauge("mcp_stored_sessions", statistics.storedSessions)
                collection.gauge("mcp_store_queue_operations", statistics.queueDepth)
                collection.gauge("mcp_store_queue_bytes", statistics.queuedBytes)
                collection.counter("mcp_store_operations_total", statistics.operations)
                collection.counter("mcp_store_batches_total", statistics.batches)
                collection.counter("mcp_store_rejected_operations_total", statistics.rejectedOperations)
                collection.counter("mcp_store_failed_operations_total", statistics.failedOperations)
                collection.counter("mcp_events_dropped_total", [("reason", "bounds")], statistics.droppedEvents)
                collection.counter("mcp_events_dropped_total", [("reason", "refused")], statistics.unloggedEvents)
            },
            close: { store.close() })
    }
}
