import Synchronization

/// What a store in Redis has done since it was opened, for metrics.
public struct RedisStoreStatistics: Sendable, Equatable {
    /// Calls that wait for Redis now.
    public var queueDepth = 0
    /// Payload bytes of those.
    public var queuedBytes = 0
    /// Calls that were completed, failed ones included.
    public var operations = 0
    /// Calls that were refused because the queue was full.
    public var rejectedOperations = 0
    /// Calls that failed because Redis could not be reached or answered with an error; refusals by rule are not among them.
    public var failedOperations = 0
    /// Calls that were sent again because the connection broke before their answer.
    public var repeatedOperations = 0
    /// Writes that were refused because the session is at home elsewhere, or gone.
    public var fencedOperations = 0
    /// Whether calls fail at once because Redis is away.
    public var isBreakerOpen = false
    /// How often that began.
    public var breakerOpenings = 0
    /// Sessions that are at home here.
    public var heldSessions = 0
    /// Sessions made while Redis was away that are not written yet.
    public var backlogSessions = 0
    /// Attributes, deletions and tasks of that time that are not written yet.
    public var backlogWrites = 0
    /// Sessions, attributes and deletions that were refused because the backlog was full.
    public var rejectedBacklog = 0
    /// Sessions that were written again because Redis had lost them.
    public var restoredSessions = 0
    /// Events that were appended again because Redis had lost them.
    public var restoredEvents = 0
    /// How often Redis came back without its data.
    public var lostData = 0
    /// Events that were dropped because their stream exceeded a bound.
    public var droppedEvents = 0
    /// Events that the log did not take: clients that reconnect miss them.
    public var unloggedEvents = 0
    /// Heartbeats that Redis did not take.
    public var missedHeartbeats = 0
    /// Signals of other instances that were received.
    public var receivedSignals = 0
    /// How often signals were missed.
    public var missedSignals = 0

    public init() {}
}

/// The counters behind the statistics.
final class StoreCounters: Sendable {
    let queueDepth = Atomic(0)
    let queuedBytes = Atomic(0)
    let operations = Atomic(0)
    let rejected = Atomic(0)
    let failed = Atomic(0)
    let repeated = Atomic(0)
    let fenced = Atomic(0)
    let openings = Atomic(0)
    let rejectedBacklog = Atomic(0)
    let restored = Atomic(0)
    let restoredEvents = Atomic(0)
    let lostData = Atomic(0)
    let droppedEvents = Atomic(0)
    let unloggedEvents = Atomic(0)
    let missedHeartbeats = Atomic(0)
    let receivedSignals = Atomic(0)
    let missedSignals = Atomic(0)

}

extension Atomic<Int> {
    func add(_ amount: Int = 1) { wrappingAdd(amount, ordering: .relaxed) }
    var value: Int { load(ordering: .relaxed) }
}
