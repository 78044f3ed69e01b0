import GRDB
import GatewayCore

/// What an operation works with: the connection inside a transaction, and what the writer keeps in memory beside it.
struct StoreTransaction {
    let database: Database
    let memory: WriterMemory

    func statement(_ sql: String) throws -> SQLStatement { try SQLStatement(database, sql) }
}

/// What the writer keeps in memory. Belongs to the writer thread.
final class WriterMemory {
    let limits: EventLogLimits
    let options: EmbeddedStoreOptions
    /// Newest `lastSeen` of sessions touched in this transaction: one UPDATE each before the commit.
    var touches: [SessionID: WallTime] = [:]
    var streams: StreamCache
    var sessions: SessionCounts
    /// Whether `reclaim` may hold something; true at the start because the last process may have left some.
    var mayReclaim = true
    /// The newest write failed.
    var isFailing = false
    /// Counted in this transaction.
    var droppedEvents = 0
    /// When the transaction began.
    var now = WallTime(milliseconds: 0)

    init(limits: EventLogLimits, options: EmbeddedStoreOptions, sessions: SessionCounts) {
        self.sessions = sessions
        self.limits = limits
        self.options = options
        streams = StreamCache(capacity: options.cachedStreams)
    }

    /// Forgets what the transaction has put here: the database has forgotten it too.
    func rolledBack() {
        touches.removeAll(keepingCapacity: true)
        streams.removeAll()
        sessions.rolledBack()
        droppedEvents = 0
    }
}
