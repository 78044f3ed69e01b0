import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Waits for the end of a modern server's task on behalf of a legacy client: of one that asks for the task's result, or of one whose call could
/// not be answered but with a task. What the task asks meanwhile becomes requests to the client (SEP-2663, "Task Polling").
final class TaskWaiter: Sendable {
    private let exchange: Exchange
    private let owner: TaskOwner
    /// It is the client's call that waits; the client does not know of the task.
    private let isOfCall: Bool
    private let state: NIOLockedValueBox<State>

    private struct State {
        /// When the server has been silent for too long.
        var deadline: NIODeadline
        /// Keys of `inputRequests` that the client was asked: each is asked once.
        var asked: Set<String> = []
        /// The session's ids of what the client has not answered.
        var open: Set<String> = []
        var failures = 0
        /// The task is: nothing is left to be taken back.
        var isEnded = false
    }

    /// The shortest and the longest time between two polls, and the one for a server that suggests none.
    private static let intervals = (shortest: 50, longest: 5000, usual: 1000)
    /// Polls without an answer in a row.
    private static let maximumFailures = 3

    init(exchange: Exchange, owner: TaskOwner, isOfCall: Bool) {
        self.exchange = exchange
        self.owner = owner
        self.isOfCall = isOfCall
        state = NIOLockedValueBox(State(deadline: Self.deadline(owner)))
    }

    private static func deadline(_ owner: TaskOwner) -> NIODeadline {
        owner.host.gateway.eventLoopGroup.next().now + owner.host.definition.callTimeout
    }

    func start() {
        let isObserved = exchange.observe(onFailure: {
            self.withdraw()
            if self.isOfCall, !self.state.withLockedValue({ $0.isEnded }) { self.owner.abandon() }
        })
        guard isObserved else { return isOfCall ? owner.abandon() : () }
        poll()
    }

    private func poll() {
        guard !exchange.isOver else { return }
        owner.state(isDetailed: true).whenComplete { result in
            switch result {
            case .success(let task): self.proceed(task)
            case .failure(let error):
                // A server that was silent, or is being started again, is asked once more.
                let isOver = self.state.withLockedValue { state in
                    state.failures += 1
                    return state.failures >= Self.maximumFailures
                }
                if case .answered? = (error as? ExchangeFailure)?.cause { return self.exchange.fail(error) }
                isOver ? self.exchange.fail(error) : self.pollLater(nil)
            }
        }
    }

    private func proceed(_ task: TaskState) {
        guard !exchange.isOver else { return }
        state.withLockedValue { state in
            state.failures = 0
            state.isEnded = task.status.isTerminal
        }
        switch task.status {
        case .completed: end(with: task.result ?? ByteBuffer(string: "{}"), as: "result")
        case .failed:
            end(with: task.error ?? ByteBuffer(string: "{\"code\":-32603,\"message\":\"the task failed\"}"), as: "error")
        case .cancelled: exchange.fail(.answered(code: RPCError.Code.internalError.rawValue), "the task was cancelled")
        case .inputRequired:
            ask(task)
            pollLater(task.pollMilliseconds)
        case .working: pollLater(task.pollMilliseconds)
        }
    }

    private func pollLater(_ milliseconds: Int?) {
        let loop = owner.host.gateway.eventLoopGroup.next()
        let isLate = state.withLockedValue { state in
            // The time the client takes is not held against the server.
            if !state.open.isEmpty { state.deadline = Self.deadline(owner) }
            return state.deadline <= loop.now
        }
        guard !isLate else {
            let seconds = Double(owner.host.definition.callTimeout.nanoseconds) / 1e9
            return exchange.fail(
                .upstreamTimeout,
                "the task of upstream \"\(owner.host.name)\" was not over within \(seconds) s (mcpServers.\(owner.host.name).timeout)")
        }
        let interval = min(max(milliseconds ?? Self.intervals.usual, Self.intervals.shortest), Self.intervals.longest)
        loop.scheduleTask(in: .milliseconds(Int64(interval))) { self.poll() }
    }

    /// Answers as the call would have been.
    private func end(with raw: ByteBuffer, as member: StaticString) {
        var raw = raw
        if !isOfCall, member.description == "result", let json = try? JSONText(validating: raw) {
            raw = json.related(to: owner.id)
        }
        var bytes = ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":0,\"\(member)\":")
        bytes.writeImmutableBuffer(raw)
        bytes.writeStaticString("}")
        guard let response = try? Message.parse(bytes) else {
            return exchange.fail(.upstreamBroken, "upstream \"\(owner.host.name)\" ended its task with a broken answer")
        }
        withdraw()
        exchange.upstreamResponded(response)
    }

    // MARK: What the task asks

    private func ask(_ task: TaskState) {
        guard let raw = task.inputRequests, let json = try? JSONText(validating: raw) else { return }
        var inputs: [(key: String, request: InputRequest)] = []
        var problem: String?
        json.forEachMemberSpan(of: json.root) { key, value in
            let key = json.key(key)
            guard state.withLockedValue({ $0.asked.insert(key).inserted }) else { return }
            switch InputRequest.read(value, in: json, for: exchange.session) {
            case .success(let request): inputs.append((key, request))
            case .failure(let refusal): problem = problem ?? refusal.reason
            }
        }
        if let problem { return exchange.fail(.upstreamBroken, "upstream \"\(owner.host.name)\" asked for input: \(problem)") }
        for (key, request) in inputs { ask(key, request) }
    }

    private func ask(_ key: String, _ request: InputRequest) {
        guard let peer = exchange.peer ?? (try? owner.host.withPeer(for: owner.session) { $0 }.get()) else { return }
        let session = exchange.session
        let input = Session.OpenInput(peer: peer, upstreamID: .jsonString(key), progressToken: nil) { response in
            self.answered(key, by: response)
        }
        guard let id = session.register(input) else {
            return exchange.fail(.internalError, "too many requests wait for the client")
        }
        state.withLockedValue { _ = $0.open.insert(id) }
        let params = request.params.flatMap { try? JSONText(validating: $0) }.map { $0.related(to: owner.id) }
        let message = isOfCall ? request : InputRequest(method: request.method, params: params ?? request.params)
        _ = exchange.emit(.inputRequired(message.message(id: id)))
        if exchange.isOver { withdraw() }
    }

    private func answered(_ key: String, by response: Message) {
        if let id = response.json.string(response.id) { state.withLockedValue { _ = $0.open.remove(id) } }
        guard response.kind == .response, let result = response.json.slice(response.result) else {
            let code = response.json.integer(response.json.member("code", of: response.error)) ?? RPCError.Code.internalError.rawValue
            return exchange.fail(
                .answered(code: code),
                "the client did not give the input that upstream \"\(owner.host.name)\" asked for: \(response.errorText)")
        }
        var members = ByteBuffer(string: "\"inputResponses\":{")
        members.writeJSONString(key)
        members.writeStaticString(":")
        members.writeImmutableBuffer(result)
        members.writeStaticString("}")
        members.replaceLineBreaks()
        owner.ask(.tasksUpdate, members).whenFailure { self.exchange.fail($0) }
    }

    private func withdraw() {
        let open = state.withLockedValue { state in
            defer { state.open.removeAll() }
            return state.open
        }
        guard !open.isEmpty else { return }
        exchange.session.state.withLockedValue { state in
            for id in open { state.inputs.removeValue(forKey: id) }
        }
    }
}
