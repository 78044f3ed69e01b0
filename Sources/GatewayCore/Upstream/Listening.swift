import MCPProtocol
import NIOCore

/// What one modern server is asked to tell of: the `subscriptions/listen` requests that are open there (2026-07-28,
/// basic/patterns/subscriptions). A value without I/O.
///
/// There is one at a time but for the moment in which another takes its place: the old one counts until the new one is acknowledged, so that
/// nothing is missed and nothing is told twice. Where each has a stream of its own, what the old one has on its way may come after the new one's
/// acknowledgement: there it stays open for a moment, and what it tells of resources still counts. What it tells of lists need not: they
/// are read again when it is taken back.
struct Listening {
    /// One thing that a server can be asked to tell of.
    enum Target: Hashable, Sendable {
        /// By its URI.
        case resource(String)
        /// By the server's id of it.
        case task(String)
    }

    /// The flags that are set in every filter.
    let flags: [StaticString]
    /// The notifications they stand for.
    let methods: [Method]
    /// Whether it tells of resources at all.
    let hasResources: Bool
    /// Whether it may be asked to tell of tasks.
    let hasTasks: Bool
    /// What somebody wants to hear of, besides lists.
    private(set) var targets: Set<Target> = []
    /// Open requests, with what is in their filters.
    private var calls: [UInt64: Set<Target>] = [:]
    /// Those that another has taken the place of and that are not taken back yet.
    private(set) var replaced: Set<UInt64> = []
    /// The newest.
    private(set) var newest: UInt64?
    /// The newest that is acknowledged, whose notifications count.
    private(set) var current: UInt64?
    /// The server knows nothing of subscriptions.
    private(set) var isRefused = false
    /// How often in a row one ended.
    private(set) var failures = 0
    /// A stream was lost: what changed meanwhile is not known.
    private var hasGap = false
    /// When the lists were last read again after a replacement, or will be.
    private var rereadAt: NIODeadline?
    /// Not more often: clients come and go all the time.
    private static let rereadInterval = TimeAmount.seconds(5)
    /// A request is about to be sent.
    var isDue = false

    init(_ info: UpstreamInfo) {
        let declared = SubscriptionFilter.lists.filter { entry in
            CatalogueKind.allCases.contains { $0.listChanged == entry.method && info.has($0.capability, "listChanged") }
        }
        flags = declared.map(\.name)
        methods = declared.map(\.method)
        hasResources = info.has("resources", "subscribe")
        hasTasks = TasksExtension.isDeclared(in: info.capabilities, of: info.initializeResult)
    }

    func owns(_ call: UInt64) -> Bool { calls[call] != nil || replaced.contains(call) }

    /// Whether a notification of that request counts.
    func counts(_ call: UInt64, _ method: Method) -> Bool {
        call == current || replaced.contains(call) && !SubscriptionFilter.lists.contains { $0.method == method }
    }

    /// Whether another request is needed for what is wanted now.
    var isOutOfDate: Bool {
        guard !isRefused else { return false }
        guard let newest, let asked = calls[newest] else { return !isEmpty }
        return asked != targets
    }

    /// Nothing is wanted.
    var isEmpty: Bool { flags.isEmpty && targets.isEmpty }

    /// Whether the server can be asked to tell of it.
    func takes(_ target: Target) -> Bool {
        switch target {
        case .resource: hasResources && !isRefused
        case .task: hasTasks && !isRefused
        }
    }

    /// False when it is among them already.
    @discardableResult
    mutating func add(_ target: Target) -> Bool { targets.insert(target).inserted }

    mutating func remove(_ target: Target) -> Bool { targets.remove(target) != nil }

    /// The ids of the tasks that are wanted, in order.
    var taskIDs: [String] {
        targets.compactMap { if case .task(let id) = $0 { id } else { nil } }.sorted()
    }

    /// Raw `notifications` of the request.
    var filter: ByteBuffer {
        let uris = targets.compactMap { if case .resource(let uri) = $0 { uri } else { nil } }.sorted()
        let tasks = taskIDs
        return SubscriptionFilter.json(flags: flags, uris: uris.isEmpty ? nil : uris, taskIDs: tasks.isEmpty ? nil : tasks)
    }

    mutating func sent(_ call: UInt64) {
        calls[call] = targets
        newest = call
    }

    /// Nothing is wanted any more: the requests to take back.
    mutating func close() -> [UInt64] {
        defer {
            calls.removeAll()
            replaced.removeAll()
            newest = nil
            current = nil
        }
        return (Array(calls.keys) + replaced).sorted()
    }

    /// The server has agreed.
    ///
    /// - Parameter keepsReplaced: the requests that it takes the place of are taken back later, each with ``takesBack(_:)``.
    /// - Returns: the requests that it takes the place of, what was asked, and whether something may have been missed; nil when it is no
    ///   request that counts.
    mutating func acknowledged(_ call: UInt64, keepsReplaced: Bool = false) -> (
        replaced: [UInt64], asked: Set<Target>, wasInterrupted: Bool
    )? {
        guard let asked = calls[call], call >= current ?? 0 else { return nil }
        current = call
        failures = 0
        let old = calls.keys.filter { $0 < call }.sorted()
        for call in old { calls.removeValue(forKey: call) }
        if keepsReplaced { replaced.formUnion(old) }
        defer { hasGap = false }
        return (old, asked, hasGap)
    }

    /// Of a request that was acknowledged, tasks that the server does not tell of: they are not asked for again.
    mutating func refused(_ tasks: Set<Target>, of call: UInt64) {
        targets.subtract(tasks)
        calls[call]?.subtract(tasks)
    }

    /// A request that was replaced is taken back now.
    ///
    /// - Returns: whether it was the last one; nil when it is gone already.
    mutating func takesBack(_ call: UInt64) -> Bool? { replaced.remove(call).map { _ in replaced.isEmpty } }

    /// When to read the lists again after a replacement; nil when that is due already.
    mutating func reread(at now: NIODeadline) -> NIODeadline? {
        if let rereadAt, rereadAt > now { return nil }
        let next = max(now, rereadAt.map { $0 + Self.rereadInterval } ?? now)
        rereadAt = next
        return next
    }

    enum End {
        /// It was replaced already.
        case nothing
        /// An older one goes on; those cannot be listened to.
        case keptOld(lost: Set<Target>)
        /// What is wanted is not listened to any more; to be tried again.
        case lost
        /// Nor will it be.
        case refused
    }

    /// One has ended without being taken back.
    mutating func ended(_ call: UInt64, isRefusal: Bool) -> End {
        replaced.remove(call)
        guard let asked = calls.removeValue(forKey: call), call == newest else { return .nothing }
        if let current, current != call, let old = calls[current] {
            newest = current
            failures += 1
            guard isRefusal else { return .lost }
            targets = old
            return .keptOld(lost: asked.subtracting(old))
        }
        newest = nil
        hasGap = hasGap || current != nil
        current = nil
        isRefused = isRefusal
        failures += 1
        return isRefusal ? .refused : .lost
    }

    /// How long to wait before the next attempt.
    ///
    /// - Parameter jitter: 0 ..< 1.
    func delay(jitter: Double) -> TimeAmount {
        let seconds = min(30, Double(1 << min(max(0, failures - 1), 5)))
        return .nanoseconds(Int64(seconds * (1 + 0.2 * jitter) * 1e9))
    }
}
