import Foundation
import GRDB
import GRDBSQLite
import GatewayCore
import Logging
import NIOConcurrencyHelpers

/// The thread that performs all operations, as many as wait at once in one transaction (group commit).
///
/// If SQLite fails an operation or the commit, the transaction is rolled back and its operations are performed again one by one, each
/// in a transaction of its own: the one that cannot be performed alone gets the error, and those before it lose nothing.
final class StoreWriter: @unchecked Sendable {
    // Unchecked: `memory` is created here and from `start` on used by the writer thread only; everything else is Sendable.
    let queue: OperationQueue
    private let database: DatabaseQueue
    private let memory: WriterMemory
    private let options: EmbeddedStoreOptions
    private let clock: GatewayClock
    private let logger: Logger
    private let counters: NIOLockedValueBox<EmbeddedStoreStatistics>
    private let health = NIOLockedValueBox<String?>(nil)
    private let thread = NIOLockedValueBox<pthread_t?>(nil)
    private let ended = NSCondition()
    private let hasEnded = NIOLockedValueBox(false)

    init(
        database: DatabaseQueue, sessions: SessionCounts, limits: EventLogLimits, options: EmbeddedStoreOptions, clock: GatewayClock,
        logger: Logger
    ) {
        self.database = database
        self.options = options
        self.clock = clock
        self.logger = logger
        memory = WriterMemory(limits: limits, options: options, sessions: sessions)
        counters = NIOLockedValueBox(EmbeddedStoreStatistics(storedSessions: sessions.total))
        queue = OperationQueue(
            capacity: options.queueCapacity, byteCapacity: options.queueBytes, batchLimit: options.operationsPerBatch)
    }

    /// Starts the thread; `atEnd` runs on it after the last operation.
    func start(atEnd: @escaping @Sendable () -> Void) {
        let thread = Thread { [self] in
            self.thread.withLockedValue { $0 = pthread_self() }
            loop()
            do {
                try database.close()
            } catch {
                logger.error("could not close the database", metadata: ["error": "\(error)"])
            }
            atEnd()
            ended.lock()
            hasEnded.withLockedValue { $0 = true }
            ended.broadcast()
            ended.unlock()
        }
        thread.name = "embedded-store"
        thread.start()
    }

    /// Waits for the end of the thread, unless this is the thread itself (a completion that closes the store).
    func join() {
        let isSelf = thread.withLockedValue { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
        guard !isSelf else { return }
        ended.lock()
        while !hasEnded.withLockedValue({ $0 }) { ended.wait() }
        ended.unlock()
    }

    /// Why the newest write failed; nil when it succeeded.
    var failure: String? { health.withLockedValue { $0 } }

    func countUnloggedEvent() { counters.withLockedValue { $0.unloggedEvents += 1 } }

    var statistics: EmbeddedStoreStatistics {
        var statistics = counters.withLockedValue { $0 }
        let depth = queue.measure()
        statistics.queueDepth = depth.operations
        statistics.queuedBytes = depth.bytes
        statistics.rejectedOperations = depth.rejected
        return statistics
    }

    // MARK: On the thread

    private func loop() {
        while let batch = queue.nextBatch(memory.mayReclaim ? .no : memory.isFailing ? .milliseconds(options.probeInterval) : .forever) {
            if batch.isEmpty, memory.isFailing { probe() }
            if !batch.isEmpty {
                perform(batch.compactMap { $0.isRefused ? nil : $0.operation })
                for entry in batch { entry.operation.complete() }
            }
            if memory.mayReclaim { reclaim() }
        }
    }

    private func perform(_ operations: [StoreOperation]) {
        guard !operations.isEmpty else { return }
        database.inDatabase { database in
            let transaction = StoreTransaction(database: database, memory: memory)
            do {
                try self.transaction(operations, in: transaction)
            } catch {
                counters.withLockedValue { $0.commitFailures += 1 }
                if operations.count == 1 || Self.isBusy(error) {
                    fail(operations, error)
                } else {
                    performSingly(operations, in: transaction)
                }
            }
        }
        counters.withLockedValue {
            $0.batches += 1
            $0.operations += operations.count
            $0.largestBatch = max($0.largestBatch, operations.count)
        }
    }

    private func performSingly(_ operations: [StoreOperation], in transaction: StoreTransaction) {
        var failed: [StoreOperation] = []
        var newest: (any Error)?
        for operation in operations {
            do {
                try self.transaction([operation], in: transaction)
            } catch {
                operation.fail(Self.describe(error))
                failed.append(operation)
                newest = error
            }
        }
        if let newest { report(failed, newest) }
    }

    /// All or nothing: the operations in one transaction.
    private func transaction(_ operations: [StoreOperation], in transaction: StoreTransaction) throws {
        let database = transaction.database
        do {
            // A transaction of reads alone takes no write lock: it goes on while another program holds that or the disk is full.
            try database.beginTransaction(operations.contains(where: \.isWrite) ? .immediate : .deferred)
            memory.now = clock.now()
            for operation in operations { try operation.perform(transaction) }
            try transaction.writeTouches()
            try database.commit()
        } catch {
            // SQLite has rolled back by itself after some failures (disk full).
            if database.isInsideTransaction {
                do {
                    try database.rollback()
                } catch {
                    logger.error("could not roll back a transaction", metadata: ["error": "\(error)"])
                }
            }
            memory.rolledBack()
            if operations.contains(where: \.isWrite) { writeFailed(error) }
            throw error
        }
        committed()
        if memory.isFailing, operations.contains(where: \.isWrite) { writeSucceeded() }
    }

    /// Makes public what the transaction has counted.
    private func committed() {
        memory.sessions.committed()
        counters.withLockedValue {
            $0.droppedEvents += memory.droppedEvents
            $0.storedSessions = memory.sessions.total
        }
        memory.droppedEvents = 0
    }

    private func fail(_ operations: [StoreOperation], _ error: any Error) {
        let reason = Self.describe(error)
        for operation in operations { operation.fail(reason) }
        report(operations, error)
    }

    /// One line for all that failed together: a full disk must not fill the log as well.
    private func report(_ failed: [StoreOperation], _ error: any Error) {
        counters.withLockedValue { $0.failedOperations += failed.count }
        logger.error(
            "store operations failed",
            metadata: [
                "count": "\(failed.count)", "last": "\(failed.last?.name.description ?? "")", "error": "\(Self.describe(error))",
            ])
    }

    // MARK: Health

    private func writeFailed(_ error: any Error) {
        memory.isFailing = true
        health.withLockedValue { $0 = Self.describe(error) }
    }

    private func writeSucceeded() {
        memory.isFailing = false
        // What could not be removed before.
        memory.mayReclaim = true
        health.withLockedValue { $0 = nil }
        logger.notice("the store can be written again")
    }

    /// Writes something that nobody asked for: while the store fails nobody may come who would.
    private func probe() {
        database.inDatabase { database in
            let operation = TypedOperation<Void>("probe the database", isWrite: true, work: { try $0.probe() }, completion: nil)
            // A failure is known already.
            try? self.transaction([operation], in: StoreTransaction(database: database, memory: memory))
        }
    }

    /// Removes one piece of what deleted streams have left.
    private func reclaim() {
        // A failure ends it until something else is deleted: the disk may be full, and trying again at once would turn in circles.
        memory.mayReclaim = false
        database.inDatabase { database in
            let transaction = StoreTransaction(database: database, memory: memory)
            var isMore = false
            let operation = TypedOperation<Bool>("reclaim deleted events", isWrite: true) {
                try $0.reclaimEvents()
            } completion: {
                isMore = (try? $0.get()) ?? false
            }
            do {
                try self.transaction([operation], in: transaction)
                operation.complete()
                memory.mayReclaim = isMore
            } catch {
                fail([operation], error)
            }
        }
    }

    private static func isBusy(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
    }

    private static func describe(_ error: any Error) -> String {
        let code: Int32
        let message: String
        switch error {
        case let error as SQLiteFailure: (code, message) = (error.code & 0xFF, error.message)
        case let error as DatabaseError: (code, message) = (error.resultCode.rawValue, error.message ?? "\(error)")
        default: return "\(error)"
        }
        switch code {
        case SQLITE_FULL: return "\(message); free space on the disk of the data directory"
        case SQLITE_CORRUPT, SQLITE_NOTADB: return "\(message); stop the gateway and restore gateway.sqlite from a backup"
        case SQLITE_BUSY, SQLITE_LOCKED: return "\(message); another program holds the write lock of gateway.sqlite"
        default: return "\(message) (SQLite \(code))"
        }
    }
}
