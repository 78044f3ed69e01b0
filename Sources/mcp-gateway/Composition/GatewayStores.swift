import EmbeddedStore
import GatewayConfiguration
import GatewayCore
import NIOCore
import RESP
import RedisStore
import Telemetry

/// The stores that the configuration asks for, and what is told of them.
struct GatewayStores: Sendable {
    let sessions: any SessionStore
    let events: any EventLog
    /// Nil where no other instance can share them.
    let cluster: ClusterServices?
    /// The secret of session ids; all instances that share the stores have the same.
    let signingKey: [UInt8]
    /// What new session ids say of where their sessions are at home.
    let homeHint: HomeHint?
    /// The time that goes into them, and that whoever shares them agrees on.
    let clock: GatewayClock
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
    static func open(
        _ settings: GatewaySettings, isDurable: Bool, eventLoopGroup: any EventLoopGroup
    ) async throws -> GatewayStores {
        let limits = EventLogLimits(
            maxEventsPerStream: settings.streams.maxEventsPerStream, maxBytesPerStream: settings.streams.maxBytesPerStream)
        switch isDurable ? settings.store.kind : .memory {
        case .memory: return try embedded(.inMemory(limits: limits, logger: LogModule.store.logger))
        case .embedded:
            return try embedded(.open(directory: settings.store.dataDirectory, limits: limits, logger: LogModule.store.logger))
        case .redis: return try await redis(settings, limits: limits, eventLoopGroup: eventLoopGroup)
        }
    }

    private static func embedded(_ store: EmbeddedStore) throws -> GatewayStores {
        GatewayStores(
            sessions: store, events: store, cluster: nil, signingKey: try store.signingKey(), homeHint: nil, clock: .system,
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

    private static func redis(
        _ settings: GatewaySettings, limits: EventLogLimits, eventLoopGroup: any EventLoopGroup
    ) async throws -> GatewayStores {
        var redis = try RedisConfiguration(url: settings.store.redis.url?.text ?? "", caFile: settings.store.redis.caFile)
        redis.commandTimeout = settings.store.redis.commandTimeout
        redis.clientName = "mcp-gateway-\(settings.instanceID)"
        var options = RedisStoreOptions()
        options.keyPrefix = settings.store.redis.keyPrefix
        options.sessionTTL = settings.sessions.timeToLive
        options.openTimeout = settings.store.redis.startTimeout
        options.heartbeat = settings.cluster.heartbeat
        options.lease = settings.cluster.lease
        options.secret = try settings.cluster.secret().map { Array($0) }
        let instance = RedisStoreInstance(
            name: settings.instanceID, address: settings.clusterAddress(), version: GatewayVersion.current, colour: settings.colour,
            startedAt: GatewayClock.system.now())
        let store = try await RedisStore.open(
            redis: redis, instance: instance, limits: limits, options: options, eventLoopGroup: eventLoopGroup,
            logger: LogModule.store.logger)
        return GatewayStores(
            sessions: store, events: store, cluster: ClusterServices(directory: store, ownership: store, bus: store),
            signingKey: store.signingKey(), homeHint: (try? InstanceAddress(instance.address)).map { HomeHint(authority: $0.authority) },
            clock: store.agreedClock,
            health: { Health(store: store.failure, eventLog: store.eventLogFailure) },
            collect: { RedisStoreMetrics.collect(store, $0) },
            close: { await store.close() })
    }
}
