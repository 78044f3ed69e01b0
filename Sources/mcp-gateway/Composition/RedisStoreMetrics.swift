import RESP
import RedisStore
import Telemetry

/// The figures of a store in Redis, under the names that every store has, and those that only this one has.
enum RedisStoreMetrics {
    static func collect(_ store: RedisStore, _ collection: MetricsCollection) {
        let statistics = store.statistics
        collection.gauge("mcp_store_queue_operations", statistics.queueDepth)
        collection.gauge("mcp_store_queue_bytes", statistics.queuedBytes)
        collection.counter("mcp_store_operations_total", statistics.operations)
        collection.counter("mcp_store_rejected_operations_total", statistics.rejectedOperations)
        collection.counter("mcp_store_failed_operations_total", statistics.failedOperations)
        collection.counter("mcp_events_dropped_total", [("reason", "bounds")], statistics.droppedEvents)
        collection.counter("mcp_events_dropped_total", [("reason", "refused")], statistics.unloggedEvents)
        collection.gauge("mcp_cluster_instances", store.peers.count + 1)
        collection.gauge("mcp_cluster_homes", statistics.heldSessions)
        collection.counter("mcp_cluster_fenced_operations_total", statistics.fencedOperations)
        collection.counter("mcp_cluster_missed_heartbeats_total", statistics.missedHeartbeats)
        collection.counter("mcp_cluster_missed_signals_total", statistics.missedSignals)
        collection.gauge("mcp_store_breaker_open", statistics.isBreakerOpen ? 1 : 0)
        collection.gauge("mcp_store_backlog_operations", statistics.backlogSessions + statistics.backlogWrites)
        collection.counter("mcp_store_rejected_backlog_total", statistics.rejectedBacklog)
        collection.counter("mcp_store_restored_sessions_total", statistics.restoredSessions)
        collection.counter("mcp_store_repeated_operations_total", statistics.repeatedOperations)
        let redis = store.redisStatistics
        collection.counter("mcp_redis_reconnects_total", redis.reconnects)
        collection.counter("mcp_redis_failovers_total", redis.failovers)
        collection.counter("mcp_redis_commands_total", redis.commands)
    }
}
