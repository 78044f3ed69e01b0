import GatewayCore

/// What waits in the queue: one call of a store protocol.
///
/// A reference type because the queue holds operations of different value types. `perform` and `complete` are called by the writer
/// thread alone, `fail` by whoever holds an operation that is in no queue.
class StoreOperation {
    /// Names the operation in errors, as in "could not <name>".
    let name: StaticString
    /// Whether the operation may change the database.
    let isWrite: Bool
    /// Bytes of payload that the operation keeps in memory while it waits.
    let cost: Int

    init(name: StaticString, isWrite: Bool, cost: Int) {
        self.name = name
        self.isWrite = isWrite
        self.cost = cost
    }

    /// Performs the operation inside the current transaction; may be called again after a roll-back.
    ///
    /// A `StoreError` of the operation's own is its outcome, and is thrown before anything is written. Failures of SQLite are rethrown:
    /// the caller rolls back.
    func perform(_ transaction: StoreTransaction) throws {}
    /// Makes a failure the outcome.
    func fail(_ reason: String) {}
    /// Tells the caller the outcome.
    func complete() {}
    var hasFailed: Bool { false }
}

/// An operation with a value.
final class TypedOperation<Value>: StoreOperation {
    private var work: ((StoreTransaction) throws -> Value)?
    private let completion: ((Result<Value, StoreError>) -> Void)?
    private var outcome: Result<Value, StoreError>?

    init(
        _ name: StaticString, isWrite: Bool, cost: Int = 0, work: @escaping (StoreTransaction) throws -> Value,
        completion: ((Result<Value, StoreError>) -> Void)?
    ) {
        self.work = work
        self.completion = completion
        super.init(name: name, isWrite: isWrite, cost: cost)
    }

    override func perform(_ transaction: StoreTransaction) throws {
        guard let work else { return }
        do {
            outcome = .success(try work(transaction))
        } catch let error as StoreError {
            outcome = .failure(error)
        }
    }

    override func fail(_ reason: String) {
        outcome = .failure(StoreError(operation: "\(name)", reason: reason))
        // An operation that is refused gives its payload back at once, it only waits for its turn to say so.
        work = nil
    }

    override func complete() {
        work = nil
        guard let completion, let outcome else { return }
        completion(outcome)
    }

    override var hasFailed: Bool {
        if case .failure? = outcome { return true }
        return false
    }
}
