import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// A task of a modern client's in a process that a legacy server has for it alone: the process is kept for the task, and what it asks of its
/// client waits for `tasks/get` and is answered by `tasks/update` (SEP-2663, "Task Update Requests").
final class HeldTask: Sendable {
    let owner: TaskOwner
    private let state = NIOLockedValueBox(State())

    private struct State {
        /// What the server asked, by the session's id of it, in the order it was asked.
        var inputs: [(key: String, request: ByteBuffer)] = []
        /// `tasks/result` is under way: there are servers that ask only then (2025-11-25, "Input Required Status").
        var awaitsResult = false
        /// The server is being asked: those who ask meanwhile share its answer.
        var running: EventLoopFuture<TaskState>?
        /// What it has come to; its process is not needed any more.
        var outcome: TaskState?
        /// When it is forgotten once it is over.
        var deadline = NIODeadline.distantFuture
    }

    init(owner: TaskOwner) { self.owner = owner }

    /// The server asks the client for something; `message` has the session's id.
    func asked(_ message: ByteBuffer) {
        guard let request = try? Message.parse(message), let key = request.json.string(request.id) else { return }
        let input = MessageWriter.inputRequest(request)
        state.withLockedValue { $0.inputs.append((key, input)) }
    }

    /// Whether the task was seen to be over.
    var isOver: Bool { state.withLockedValue { $0.outcome != nil } }

    /// What the task has come to, for a modern client.
    func current() -> EventLoopFuture<TaskState> {
        let promise = owner.host.gateway.eventLoopGroup.next().makePromise(of: TaskState.self)
        let (outcome, running) = state.withLockedValue { state in
            let running = state.running
            if state.outcome == nil, running == nil { state.running = promise.futureResult }
            return (state.outcome, running)
        }
        if let outcome { promise.succeed(outcome) }
        guard outcome == nil else { return promise.futureResult }
        if let running {
            promise.completeWith(running)
            return promise.futureResult
        }
        read().whenComplete { result in
            self.state.withLockedValue { $0.running = nil }
            promise.completeWith(result)
        }
        return promise.futureResult
    }

    private func read() -> EventLoopFuture<TaskState> {
        owner.state(isDetailed: true).map { known in
            var known = known
            if known.status == .inputRequired {
                self.awaitResult()
                known.inputRequests = self.openInputs
                // The server has not asked yet, or is answered and has yet to say so.
                if known.inputRequests == nil { known.status = .working }
            }
            if known.status.isTerminal { self.over(known) }
            return known
        }
    }

    /// The client's answers to what it was asked.
    ///
    /// - Parameter responses: raw `inputResponses`; what was not asked is ignored.
    func answer(_ responses: JSONSpan, in json: JSONText) {
        json.forEachMemberSpan(of: responses) { key, value in
            let key = json.key(key)
            guard json.isObject(value), let result = json.slice(value),
                state.withLockedValue({ $0.inputs.contains { $0.key == key } }),
                let response = try? Message.parse(MessageWriter.response(id: .jsonString(key), result: result))
            else { return }
            _ = owner.session.answerInput(response)
            state.withLockedValue { $0.inputs.removeAll { $0.key == key } }
        }
    }

    /// Raw `inputRequests`; nil when nothing is asked.
    private var openInputs: ByteBuffer? {
        let waiting = owner.session.state.withLockedValue { Set($0.inputs.keys) }
        let inputs = state.withLockedValue { state in
            // The server may have taken some back.
            state.inputs.removeAll { !waiting.contains($0.key) }
            return state.inputs
        }
        guard !inputs.isEmpty else { return nil }
        var bytes = ByteBuffer(string: "{")
        for (index, input) in inputs.enumerated() {
            if index > 0 { bytes.writeStaticString(",") }
            bytes.writeJSONString(input.key)
            bytes.writeStaticString(":")
            bytes.writeImmutableBuffer(input.request)
        }
        bytes.writeStaticString("}")
        return bytes
    }

    private func awaitResult() {
        let isFirst = state.withLockedValue { state in
            defer { state.awaitsResult = true }
            return !state.awaitsResult
        }
        guard isFirst else { return }
        owner.ask(.tasksResult).whenComplete { _ in self.state.withLockedValue { $0.awaitsResult = false } }
    }

    /// The task is over: its process works for others again, and what it came to is kept for whoever asks again.
    private func over(_ outcome: TaskState) {
        let gateway = owner.host.gateway
        let isFirst = state.withLockedValue { state in
            defer { state.outcome = outcome }
            guard state.outcome == nil else { return false }
            state.deadline = gateway.eventLoopGroup.next().now + gateway.settings.parkedExchangeTimeout
            return true
        }
        if isFirst { release() }
    }

    /// Gives its process back.
    func release() {
        let wasHeld = owner.session.state.withLockedValue { state in
            defer { state.holdsTask = false }
            return state.holdsTask
        }
        if wasHeld { owner.session.endModern(mayReuse: true) }
    }

    /// Whether there is nothing left to hold: it has been over for long, or its process was stopped for being idle, or with its server.
    func isSpent(at now: NIODeadline) -> Bool {
        guard owner.host.gateway.host(named: owner.host.name) === owner.host else { return true }
        let (outcome, deadline) = state.withLockedValue { ($0.outcome, $0.deadline) }
        if outcome != nil { return deadline <= now }
        return owner.session.state.withLockedValue { $0.peers[owner.host.name] == nil }
    }
}

extension Session {
    /// Keeps what the server asks for the task that it is making, until it is known. False when it makes none.
    func keepsForNewTask(_ message: ByteBuffer) -> Bool {
        state.withLockedValue { state in
            state.inputsOfNewTask?.append(message)
            return state.inputsOfNewTask != nil
        }
    }
}

extension Message {
    /// Whether it belongs to a task of 2025-11-25 (basic/utilities/tasks, "Related Task Metadata").
    var isOfTask: Bool { json.member(TasksExtension.relatedTask, of: routing.meta).isPresent }
}

/// All tasks whose processes are kept for them: bounded in number like parked exchanges, and in time by `idleTimeout` of the process and the time
/// of a parked exchange after their end.
final class HeldTasks: Sendable {
    private let limit: Int
    private let all = NIOLockedValueBox<[TaskOwner.Key: HeldTask]>([:])

    init(limit: Int) { self.limit = limit }

    subscript(key: TaskOwner.Key) -> HeldTask? { all.withLockedValue { $0[key] } }

    var isFull: Bool { all.withLockedValue { $0.count } >= limit }

    /// Keeps the process of the task's session from now on.
    func hold(_ owner: TaskOwner) {
        let task = HeldTask(owner: owner)
        let asked = owner.session.state.withLockedValue { state in
            defer { state.inputsOfNewTask = nil }
            state.holdsTask = true
            return state.inputsOfNewTask ?? []
        }
        asked.forEach(task.asked)
        let old = all.withLockedValue { $0.updateValue(task, forKey: owner.key) }
        old?.release()
    }

    /// The task that a session works for.
    func task(of session: Session) -> HeldTask? { all.withLockedValue { $0.values.first { $0.owner.session === session } } }

    /// The server has said that a task is over, or not.
    func look(at key: TaskOwner.Key) { _ = self[key]?.current() }

    func remove(_ key: TaskOwner.Key) { all.withLockedValue { $0.removeValue(forKey: key) }?.release() }

    func sweep(at now: NIODeadline) {
        let spent = all.withLockedValue { all in
            let spent = all.filter { $0.value.isSpent(at: now) }
            for key in spent.keys { all.removeValue(forKey: key) }
            return spent.values
        }
        for task in spent { task.release() }
    }
}
