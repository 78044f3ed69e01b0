import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Looks again and again at a legacy server's task for the modern clients that listen to it, and tells them when it has changed. A legacy server
/// need not tell of its tasks by itself (2025-11-25, basic/utilities/tasks, "Task Notifications"); when it does, the gateway looks at once.
final class TaskWatch: Sendable {
    private let owner: TaskOwner
    private let held: HeldTask?
    private let state: NIOLockedValueBox<State>

    private struct State {
        /// What clients know.
        var known: TaskState
        var isLooking = false
        /// Something happened while it was looked at.
        var isDue = false
        /// Of the look that is scheduled: it counts unless something was looked at meanwhile.
        var turn: UInt64 = 0
    }

    /// The shortest and the longest time between two looks, and the one for a server that suggests none.
    private static let intervals = (shortest: 200, longest: 10_000, usual: 1000)

    init(owner: TaskOwner, held: HeldTask?, known: TaskState) {
        self.owner = owner
        self.held = held
        state = NIOLockedValueBox(State(known: known))
    }

    private var gateway: Gateway { owner.host.gateway }

    func start() {
        let known = state.withLockedValue { $0.known }
        // Whoever begins to listen late learns what there is to do.
        if known.status != .working { gateway.tell(of: known, key: owner.key) }
        known.status.isTerminal ? gateway.taskWatches.remove(owner.key) : lookLater(known.pollMilliseconds)
    }

    private func lookLater(_ milliseconds: Int?) {
        let turn = state.withLockedValue { state in
            state.turn += 1
            return state.turn
        }
        let interval = min(max(milliseconds ?? Self.intervals.usual, Self.intervals.shortest), Self.intervals.longest)
        gateway.eventLoopGroup.next().scheduleTask(in: .milliseconds(Int64(interval))) {
            if self.state.withLockedValue({ $0.turn == turn }) { self.look() }
        }
    }

    func look() {
        let mayLook = state.withLockedValue { state in
            guard !state.isLooking else {
                state.isDue = true
                return false
            }
            state.isLooking = true
            state.turn += 1
            return true
        }
        guard mayLook else { return }
        guard !gateway.subscriptions.listeners(to: owner.key).isEmpty else { return gateway.taskWatches.remove(owner.key) }
        (held?.current() ?? owner.state(isDetailed: true).map(\.withoutInput)).whenComplete { self.looked($0) }
    }

    private func looked(_ result: Result<TaskState, any Error>) {
        let isDue = state.withLockedValue { state in
            state.isLooking = false
            defer { state.isDue = false }
            return state.isDue
        }
        switch result {
        case .success(let now):
            let isNew = state.withLockedValue { state in
                defer { state.known = now }
                let known = state.known
                return known.status != now.status || known.statusMessage != now.statusMessage || known.inputRequests != now.inputRequests
            }
            if isNew { gateway.tell(of: now, key: owner.key) }
            guard !now.status.isTerminal else { return gateway.taskWatches.remove(owner.key) }
            isDue ? look() : lookLater(now.pollMilliseconds)
        case .failure(let error):
            // The server does not know it any more.
            if case .answered? = (error as? ExchangeFailure)?.cause { return gateway.taskWatches.remove(owner.key) }
            lookLater(Self.intervals.longest)
        }
    }
}

/// All tasks of legacy servers that somebody listens to, each watched once.
final class TaskWatches: Sendable {
    private let all = NIOLockedValueBox<[TaskOwner.Key: TaskWatch]>([:])

    /// Watches a task; one that is watched already is looked at, so that who came now learns of its state.
    func watch(_ owner: TaskOwner, held: HeldTask?, known: TaskState) {
        let watch = TaskWatch(owner: owner, held: held, known: known)
        let isNew = all.withLockedValue { all in
            guard all[owner.key] == nil else { return false }
            all[owner.key] = watch
            return true
        }
        if isNew {
            watch.start()
        } else if known.status != .working {
            owner.host.gateway.tell(of: known, key: owner.key)
        }
    }

    func remove(_ key: TaskOwner.Key) { all.withLockedValue { _ = $0.removeValue(forKey: key) } }

    /// The server has said that a task has changed.
    func look(at key: TaskOwner.Key) { all.withLockedValue { $0[key] }?.look() }
}
