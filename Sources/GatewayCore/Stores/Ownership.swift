/// What came of a claim.
public enum HomeClaim: Sendable, Equatable {
    /// The session is at home here now; it was before when `wasMine`.
    case mine(SessionRecord, wasMine: Bool)
    /// Another instance that is alive has it.
    case elsewhere(InstanceRecord)
    /// There is no such session.
    case unknown
}

/// Which instance owns what cannot move: a session's memory (its home) and the tasks of child processes.
///
/// A home is held by one life of one instance, under an epoch that grows with each change. Only who holds it may write for the session:
/// the store refuses writes of others (``StoreError/Kind/fenced``), whatever they believe (a fencing token). A session that is created is at
/// home where it was created.
///
/// Calls return at once; completions run on a thread of the store's, and must not block.
public protocol Ownership: Sendable {
    typealias Completion<Value> = @Sendable (Result<Value, StoreError>) -> Void

    /// Makes this instance the home of a session, unless an instance that is alive and not this one is. One step: of several that claim at
    /// once one succeeds.
    func claim(_ id: SessionID, aliveSince: WallTime, completion: @escaping Completion<HomeClaim>)
    /// Gives sessions back, so that whoever is asked for one next may claim it. Those that are not at home here are left alone.
    func release(_ ids: [SessionID], completion: @escaping Completion<Void>)
    /// Calls `body` for each session that turns out to be at home elsewhere, or deleted, when the store refuses a write for it. Set once.
    func onHomeLost(_ body: @escaping @Sendable (SessionID) -> Void)

    /// Remembers that this instance runs a task, for `lifetime`.
    ///
    /// - Parameter completion: called when every instance finds the task, or when the store is away.
    func rememberTask(_ key: String, lifetime: Duration, completion: @escaping @Sendable () -> Void)
    /// Who runs a task; nil when nobody that is alive does.
    func owner(ofTask key: String, completion: @escaping Completion<InstanceRecord?>)
}
