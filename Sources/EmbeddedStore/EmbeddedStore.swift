import Dispatch
public import GatewayCore
public import Logging
import NIOConcurrencyHelpers
import Synchronization

/// Sessions and events in an SQLite database of this process: the stores of a gateway that has no other service.
///
/// All calls are put into one bounded FIFO; a single thread performs what waits in one transaction, then runs the completions in the
/// order of the calls. At the bounds of the queue a call completes with a `StoreError` in its turn; a `touch` or an attribute without
/// completion is then dropped, counted in `statistics.rejectedOperations` and logged. After `close()` completions run, with an
/// error, on a queue of their own.
///
/// Committed writes survive the end of the process, also by `kill -9`. A power loss may take back the newest ones (`synchronous=NORMAL`).
public final class EmbeddedStore: Sendable {
    /// What a call tells when it is done; runs on the store's thread and must not block.
    public typealias Completion<Value> = @Sendable (Result<Value, StoreError>) -> Void

    private let writer: StoreWriter
    private let directory: StoreDirectory?
    private let droppedLine: SparseLine
    /// Serialises the making of the key; holds it for a store in memory.
    private let key: NIOLockedValueBox<[UInt8]?>
    /// The newest event found the queue full.
    private let refusesEvents = Atomic<Bool>(false)

    /// Opens the store in a directory, which is created when missing. One process can have it open at a time.
    ///
    /// - Parameters:
    ///   - directory: path of the data directory; created with mode 0700, the files in it with 0600.
    ///   - limits: how much of each stream is kept.
    ///   - options: bounds of the machinery.
    ///   - clock: tells when an event is appended, which its age counts from.
    /// - Throws: `EmbeddedStoreError`.
    public static func open(
        directory path: String, limits: EventLogLimits, options: EmbeddedStoreOptions = EmbeddedStoreOptions(),
        clock: GatewayClock = .system,
        logger: Logger
    ) throws(EmbeddedStoreError) -> EmbeddedStore {
        let directory = try StoreDirectory.lock(path, logger: logger)
        do {
            let database = try StoreDatabase.open(directory, options: options)
            let sessions = try StoreDatabase.sessionCounts(database, path: directory.databasePath)
            let writer = StoreWriter(database: database, sessions: sessions, limits: limits, options: options, clock: clock, logger: logger)
            return EmbeddedStore(writer, directory: directory, logger: logger)
        } catch {
            directory.unlock()
            throw error
        }
    }

    /// A store that lives and ends with the process.
    ///
    /// - Throws: `EmbeddedStoreError`.
    public static func inMemory(
        limits: EventLogLimits = EventLogLimits(), options: EmbeddedStoreOptions = EmbeddedStoreOptions(), clock: GatewayClock = .system,
        logger: Logger
    ) throws(EmbeddedStoreError) -> EmbeddedStore {
        let database = try StoreDatabase.inMemory(options: options)
        let writer = StoreWriter(
            database: database, sessions: SessionCounts(), limits: limits, options: options, clock: clock, logger: logger)
        return EmbeddedStore(writer, directory: nil, logger: logger)
    }

    private init(_ writer: StoreWriter, directory: StoreDirectory?, logger: Logger) {
        self.writer = writer
        self.directory = directory
        droppedLine = SparseLine(logger, .warning, "the store's queue is full: a write that nobody waits for is dropped")
        key = NIOLockedValueBox(nil)
        writer.start { directory?.unlock() }
    }

    deinit {
        // The thread performs what waits and closes the database; nobody waits for it.
        _ = writer.queue.close()
    }

    /// Performs what was asked for, closes the database and lets go of the directory; returns when that is done. Called by a completion
    /// of the store it returns at once. More calls do nothing.
    public func close() {
        _ = writer.queue.close()
        writer.join()
    }

    /// The secret key of session ids, 32 random bytes: made at the first call and kept in a file of the directory (`session-id.key`, 0600).
    ///
    /// - Throws: `EmbeddedStoreError` when the file cannot be read or written, or holds something else.
    public func signingKey() throws -> [UInt8] {
        try key.withLockedValue { key in
            if let key { return key }
            let made = try directory?.signingKey() ?? StoreDirectory.randomKey()
            key = made
            return made
        }
    }

    /// What the store has done since it was opened.
    public var statistics: EmbeddedStoreStatistics { writer.statistics }

    /// Why the newest attempt to write failed, in a sentence; nil while the store works. The store keeps trying: it becomes nil again by
    /// itself when writing is possible again.
    public var failure: String? { writer.failure }

    /// Why the newest event could not be logged, in a sentence; nil while events are. It becomes nil again by itself.
    public var eventLogFailure: String? {
        failure ?? (refusesEvents.load(ordering: .relaxed) ? "the store's queue is full" : nil)
    }

    // MARK: For the protocols

    /// False of a store in memory.
    public var outlivesProcess: Bool { directory != nil }

    private static let afterClose = DispatchQueue(label: "embedded-store-closed")

    func eventCompleted(isLogged: Bool) {
        if !isLogged { writer.countUnloggedEvent() }
        if isLogged, refusesEvents.load(ordering: .relaxed) { refusesEvents.store(false, ordering: .relaxed) }
    }

    func eventRefused() { refusesEvents.store(true, ordering: .relaxed) }

    /// - Returns: false when the queue is full: the operation fails in its turn.
    @discardableResult
    func submit<Value>(
        _ name: StaticString, isWrite: Bool = true, cost: Int = 0, always: Bool = false, work: @escaping (StoreTransaction) throws -> Value,
        completion: ((Result<Value, StoreError>) -> Void)?
    ) -> Bool {
        let operation = TypedOperation(name, isWrite: isWrite, cost: cost, work: work, completion: completion)
        switch writer.queue.enqueue(operation, always: always) {
        case .queued:
            return true
        case .refused:
            if completion == nil {
                droppedLine.write(["operation": "\(name)"])
            }
            return false
        case .closed:
            // Not on the caller's thread: callers may hold locks that their completions take.
            nonisolated(unsafe) let operation = operation
            Self.afterClose.async {
                operation.fail("the store is closed")
                operation.complete()
            }
            return true
        }
    }
}
