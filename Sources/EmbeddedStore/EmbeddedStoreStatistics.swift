/// What an embedded store has done since it was opened, for metrics.
public struct EmbeddedStoreStatistics: Sendable, Equatable {
    /// Operations that wait for the writer now.
    public var queueDepth = 0
    /// Payload bytes that wait for the writer now.
    public var queuedBytes = 0
    /// Transactions, each of a batch of operations.
    public var batches = 0
    /// Operations that were performed, failed ones included.
    public var operations = 0
    /// Most operations of one batch so far.
    public var largestBatch = 0
    /// Operations that were refused because the queue was full.
    public var rejectedOperations = 0
    /// Operations that the database failed (disk full, damage); refusals by rule are not among them.
    public var failedOperations = 0
    /// Batches that could not be committed as a whole; their operations were then performed one by one.
    public var commitFailures = 0
    /// Sessions in the database now, expired ones that were not swept yet included.
    public var storedSessions = 0
    /// Events that were dropped because their stream exceeded a bound.
    public var droppedEvents = 0
    /// Events that the log did not take (full queue, full disk, too large): clients that reconnect miss them.
    public var unloggedEvents = 0

    public init(storedSessions: Int = 0) { self.storedSessions = storedSessions }
}
