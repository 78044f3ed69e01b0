import NIOConcurrencyHelpers
public import GatewayCore
public import RESP

extension RedisStore {
    /// What the store has done since it was opened.
    public var statistics: RedisStoreStatistics {
        var statistics = RedisStoreStatistics()
        statistics.queueDepth = counters.queueDepth.value
        statistics.queuedBytes = counters.queuedBytes.value
        statistics.operations = counters.operations.value
        statistics.rejectedOperations = counters.rejected.value
        statistics.failedOperations = counters.failed.value
        statistics.repeatedOperations = counters.repeated.value
        statistics.fencedOperations = counters.fenced.value
        statistics.isBreakerOpen = breaker.withLockedValue { $0.isOpen }
        statistics.breakerOpenings = counters.openings.value
        statistics.rejectedBacklog = counters.rejectedBacklog.value
        statistics.restoredSessions = counters.restored.value
        statistics.restoredEvents = counters.restoredEvents.value
        statistics.lostData = counters.lostData.value
        statistics.droppedEvents = counters.droppedEvents.value
        statistics.unloggedEvents = counters.unloggedEvents.value
        statistics.missedHeartbeats = counters.missedHeartbeats.value
        statistics.receivedSignals = counters.receivedSignals.value
        statistics.missedSignals = counters.missedSignals.value
        sessions.state.withLockedValue {
            statistics.heldSessions = $0.held.count
            statistics.backlogSessions = $0.backlogSessions
            statistics.backlogWrites = $0.backlogWrites
        }
        return statistics
    }

    /// The time that all instances agree on: Redis's, as of the last heartbeat.
    public var agreedClock: GatewayClock { agreed.clock }

    /// What the connection to Redis has done since it was opened.
    public var redisStatistics: RedisStatistics { client.statistics }

    /// Why the store does not work as it ought to, in a sentence; nil while it does. It becomes nil again by itself.
    public var failure: String? {
        if directory.isReplaced { return "another process runs as instance \(identity.name)" }
        if directory.state.withLockedValue({ $0.hasOtherSecret }) {
            return "the cluster has another secret than this instance: each refuses the ids of the other's sessions"
        }
        if let reason = breaker.withLockedValue({ $0.isOpen ? $0.reason ?? "it did not answer" : nil }) {
            return "Redis is away: \(reason)"
        }
        if let refusal = state.withLockedValue({ $0.refusal }) { return refusal }
        if case .lapsed = lease { return "Redis has taken no heartbeat for the time of a lease: others take this instance for dead" }
        return nil
    }

    /// Why the newest event could not be logged, in a sentence; nil while events are. It becomes nil again by itself.
    public var eventLogFailure: String? { failure ?? state.withLockedValue { $0.eventRefusal } }
}
