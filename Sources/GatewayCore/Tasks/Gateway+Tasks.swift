import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Tasks for clients of 2025-11-25 (basic/utilities/tasks): who runs a task is remembered per session, ids pass through. Those of modern servers
/// are bridged.
extension Gateway {
    /// Of a call that asks for a task: the task that the answer names is the session's.
    func rememberTask(of exchange: Exchange, host: UpstreamHost) {
        let session = exchange.session
        _ = exchange.observe(transform: { response in
            let json = response.json
            let task = json.member("task", of: response.result)
            if let id = json.string(json.member("taskId", of: task)) { session.rememberTask(id, upstream: host.name) }
            return nil
        })
    }

    /// A legacy client calls a tool and asks for a task.
    func callAsLegacyTask(_ exchange: Exchange, at host: UpstreamHost, splices: [Splice]) {
        guard host.isModern else {
            rememberTask(of: exchange, host: host)
            return forward(exchange, to: host, splices: splices)
        }
        // Who has declared no tasks takes the request for a plain one ("Task Support and Handling").
        guard host.hasTasks, exchange.session.revision >= .v2025_11_25 else {
            return send(exchange, to: host, splices: splices, task: nil) { _ in exchange }
        }
        let isObserved = exchange.observe(transform: { response in self.legacyTask(of: response, to: exchange, from: host) })
        if isObserved { send(exchange, to: host, splices: splices, task: nil, declaresTasks: true) { _ in exchange } }
    }

    /// Raw `CreateTaskResult` of 2025-11-25 for what a modern server answered: its task, or one that is over for a result that came at once. A
    /// client that asked for a task must get one ("Result Retrieval").
    private func legacyTask(of response: Message, to exchange: Exchange, from host: UpstreamHost) -> ByteBuffer? {
        let session = exchange.session
        let json = response.json
        var result = ByteBuffer(string: "{")
        if let meta = json.slice(json.member("_meta", of: response.result)) {
            result.writeStaticString("\"_meta\":")
            result.writeImmutableBuffer(meta)
            result.writeStaticString(",")
        }
        result.writeStaticString("\"task\":")
        switch EraBridge.resultType(of: response.result, in: json) {
        case .other("task"):
            guard let state = TaskState(response.result, in: json, era: .modern) else { return nil }
            session.rememberTask(state.id, upstream: host.name)
            if !state.status.isTerminal { _ = host.withPeer(for: session) { $0.listen(toTask: state.id) } }
            result.writeImmutableBuffer(state.legacy())
        case .complete:
            guard let own = json.slice(response.result) else { return nil }
            let request = exchange.request
            let asked = request.json.integer(request.json.member("ttl", of: request.routing.task)).map(Int64.init)
            result.writeImmutableBuffer(keptResults.keep(own, of: session.id, for: asked, now: clock.now()).legacy())
        default: return nil
        }
        result.writeStaticString("}")
        return result
    }

    func forwardTask(_ exchange: Exchange) {
        guard let id = exchange.request.json.string(exchange.request.routing.taskID) else {
            return exchange.fail(.invalidParams, "\(exchange.method.name): params.taskId must be a string")
        }
        let session = exchange.session
        if let kept = keptResults.find(id, of: session.id, now: clock.now()) { return serveKept(exchange, kept) }
        let hosts = hosts(of: session)
        if let owner = session.upstream(ofTask: id), let host = hosts.first(where: { $0.name == owner }) {
            return whenSettled(server: host.name) {
                host.isModern
                    ? self.serveLegacyTask(exchange, TaskOwner(host: host, session: session, id: id)) : self.forward(exchange, to: host)
            }
        }
        // A process of the session's own has no tasks but the session's.
        if hosts.count == 1, !hosts[0].isShared { return forward(exchange, to: hosts[0]) }
        exchange.fail(.unknownTask, "Unknown task: \(id)")
    }

    /// Answers about the task of a call that was answered at once.
    private func serveKept(_ exchange: Exchange, _ task: TaskState) {
        switch exchange.method {
        case .tasksGet: exchange.succeed(complete: task.legacy())
        case .tasksResult: exchange.succeed(complete: task.legacyResult)
        default: exchange.fail(.invalidParams, "Cannot cancel task: already in terminal status '\(task.status.rawValue)'")
        }
    }

    /// Answers about a task of a modern server's.
    private func serveLegacyTask(_ exchange: Exchange, _ owner: TaskOwner) {
        guard !exchange.isOver else { return }
        exchange.isCounted(by: owner.host.requestCounters)
        switch exchange.method {
        case .tasksGet:
            owner.state(isDetailed: true).whenComplete { result in
                switch result {
                case .success(let state): exchange.succeed(complete: state.legacy())
                case .failure(let error): exchange.fail(error)
                }
            }
        case .tasksResult: TaskWaiter(exchange: exchange, owner: owner, isOfCall: false).start()
        default: cancel(owner, exchange)
        }
    }

    /// `tasks/cancel` of 2025-11-25 tells what the task has become; the extension only takes note. The gateway looks a few times.
    private func cancel(_ owner: TaskOwner, _ exchange: Exchange) {
        owner.state(isDetailed: true).flatMap { state -> EventLoopFuture<TaskState> in
            let loop = owner.host.gateway.eventLoopGroup.next()
            guard !state.status.isTerminal else {
                return loop.makeFailedFuture(
                    ExchangeFailure(.invalidParams, "Cannot cancel task: already in terminal status '\(state.status.rawValue)'"))
            }
            return owner.ask(.tasksCancel).flatMapThrowing { try owner.result(of: $0) }.flatMap { _ in
                self.stateAfterCancelling(owner, left: Self.looksAfterCancelling)
            }
        }.whenComplete { result in
            switch result {
            case .success(let state): exchange.succeed(complete: state.legacy())
            case .failure(let error): exchange.fail(error)
            }
        }
    }

    private static let looksAfterCancelling = 10

    private func stateAfterCancelling(_ owner: TaskOwner, left: Int) -> EventLoopFuture<TaskState> {
        let read = owner.state(isDetailed: true)
        return read.flatMap { state in
            guard !state.status.isTerminal, left > 1 else { return read.eventLoop.makeSucceededFuture(state) }
            return read.eventLoop.flatScheduleTask(in: .milliseconds(200)) { self.stateAfterCancelling(owner, left: left - 1) }.futureResult
        }
    }

    // MARK: The list

    /// Asks every upstream that runs tasks of the session, and leaves out tasks of other sessions.
    func listTasks(_ exchange: Exchange) {
        let session = exchange.session
        let owned = session.state.withLockedValue { $0.tasks }
        let hosts = hosts(of: session)
        let legacy = hosts.filter { host in
            !host.isModern && host.info?.capability("tasks") != nil && (owned.values.contains(host.name) || !host.isShared)
        }
        let loop = eventLoopGroup.next()
        var reads = legacy.map { host -> EventLoopFuture<[ByteBuffer]> in
            let asked = host.withPeer(for: session) { $0.request(method: MCPProtocol.Method.tasksList.name, params: nil) }
            guard case .success(let response) = asked else { return loop.makeSucceededFuture([]) }
            let isOwn = !host.isShared
            return response.map { response in
                let json = response.json
                return json.elements(of: json.member("tasks", of: response.result)).compactMap { span in
                    guard let id = json.string(json.member("taskId", of: span)), isOwn || owned[id] != nil else { return nil }
                    return json.slice(span)
                }
            }
        }
        // A modern server tells of no tasks that it is not asked for by their ids.
        for host in hosts where host.isModern && owned.values.contains(host.name) {
            let ids = owned.filter { $0.value == host.name }.map(\.key).sorted()
            reads.append(states(of: ids.prefix(Self.maximumListed).map { TaskOwner(host: host, session: session, id: $0) }, on: loop))
        }
        reads.append(loop.makeSucceededFuture(keptResults.all(of: session.id, now: clock.now()).map { $0.legacy() }))
        EventLoopFuture.whenAllComplete(reads, on: loop).whenSuccess { results in
            var result = ByteBuffer(string: "{\"tasks\":[")
            for (index, task) in results.flatMap({ (try? $0.get()) ?? [] }).enumerated() {
                if index > 0 { result.writeStaticString(",") }
                result.writeImmutableBuffer(task)
            }
            result.writeStaticString("]}")
            exchange.succeed(result)
        }
    }

    /// Tasks of one modern server in a list: each costs a request.
    private static let maximumListed = 100

    /// The tasks that are still there; those that their server does not know any more are forgotten.
    private func states(of owners: [TaskOwner], on loop: any EventLoop) -> EventLoopFuture<[ByteBuffer]> {
        let reads = owners.map { owner in
            owner.state(isDetailed: true).map { $0.legacy() }.flatMapErrorThrowing { error in
                if (error as? ExchangeFailure)?.cause == .answered(code: RPCError.Code.invalidParams.rawValue) {
                    owner.session.forgetTask(owner.id)
                }
                throw error
            }
        }
        return EventLoopFuture.whenAllComplete(reads, on: loop).map { $0.compactMap { try? $0.get() } }
    }

    // MARK: Capabilities

    /// Raw `tasks` for a client of 2025-11-25 of all servers; nil when none has tasks.
    func legacyTasksCapability(of hosts: [UpstreamHost]) -> ByteBuffer? {
        let known = hosts.lazy.filter { !$0.isModern }.compactMap { $0.info?.capability("tasks") }.first
        return known ?? (hosts.contains { $0.isModern && $0.hasTasks } ? TasksExtension.legacyCapability : nil)
    }

    /// Raw capabilities of one server for a client of that era.
    func capabilities(of host: UpstreamHost, for session: Session) -> ByteBuffer? {
        guard let info = host.info, let own = info.initializeResult.slice(info.capabilities) else { return nil }
        guard host.hasTasks, session.isModern != (info.era == .modern) else { return own }
        if session.isModern { return TasksExtension.declared(in: own, removing: ["tasks"]) }
        return session.revision >= .v2025_11_25 ? TasksExtension.legacy(own) : own
    }
}

extension TaskState {
    /// Raw result of `tasks/result` for a result that is known.
    var legacyResult: ByteBuffer {
        guard let result, let json = try? JSONText(validating: result) else { return ByteBuffer(string: "{}") }
        return json.related(to: id)
    }
}

extension JSONText {
    /// The object with the mark of a task of 2025-11-25 in its `_meta` ("Related Task Metadata").
    func related(to task: String) -> ByteBuffer {
        guard isObject(root) else { return bytes }
        var member = ByteBuffer(string: "\"\(TasksExtension.relatedTask)\":{\"taskId\":")
        member.writeJSONString(task)
        member.writeStaticString("}")
        let meta = self.member("_meta", of: root)
        var marked = ByteBuffer()
        if isObject(meta) {
            marked.write(bytes, splicing: replacement(of: [TasksExtension.relatedTask], in: meta, by: member))
        } else {
            var object = ByteBuffer(string: "\"_meta\":{")
            object.writeImmutableBuffer(member)
            object.writeStaticString("}")
            marked.write(bytes, splicing: [insertion(of: object, into: root)])
        }
        return marked
    }
}
