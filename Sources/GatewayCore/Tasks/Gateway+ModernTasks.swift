import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Tasks for modern clients (extension io.modelcontextprotocol/tasks). On the endpoint of all servers the id of a task is `<server>__<id>`, so
/// that any instance knows whom to ask. Of tasks of modern servers nothing is remembered; those of legacy servers are bridged.
extension Gateway {
    func forwardModernTask(_ exchange: Exchange) {
        guard exchange.session.declaresTasks else { return exchange.fail(tasksNotDeclared(exchange.method.name)) }
        switch route(name: exchange.request.routing.taskID, of: exchange) {
        case .host(let host, let id, let splices):
            whenSettled(server: host.name) {
                host.isModern || !host.hasTasks
                    ? self.forward(exchange, to: host, splices: splices) : self.serveModernTask(exchange, id: id, at: host)
            }
        case .unknown(let id): exchange.fail(.unknownTask, "Unknown task: \(id)")
        case .notAString:
            exchange.fail(.invalidParams, "\(exchange.method.name): params.taskId must be a string")
        }
    }

    /// SEP-2663, "Protocol Errors".
    func tasksNotDeclared(_ what: String) -> ExchangeFailure {
        ExchangeFailure(
            .answered(code: RPCError.Code.missingRequiredClientCapability.rawValue),
            "\(what) needs the client's extension \"\(TasksExtension.name)\"", data: TasksExtension.requiredCapabilities)
    }

    /// The task as a modern client may ask for it; nil when a process that nobody holds any more had it.
    func modernTask(_ id: String, at host: UpstreamHost, for session: Session) -> (owner: TaskOwner, held: HeldTask?)? {
        let found = heldTasks[TaskOwner.Key(server: host.name, id: id)]
        // The configuration may have put another server in its place.
        let held = found?.owner.host === host ? found : nil
        guard host.isShared || held != nil else { return nil }
        return (held?.owner ?? TaskOwner(host: host, session: session, id: id), held)
    }

    /// Answers about a task of a legacy server's.
    private func serveModernTask(_ exchange: Exchange, id: String, at host: UpstreamHost) {
        guard !exchange.isOver else { return }
        exchange.isCounted(by: host.requestCounters)
        guard let (owner, held) = modernTask(id, at: host, for: exchange.session) else {
            return exchange.fail(.unknownTask, "Unknown task: \(id)")
        }
        let own = exchange.request.json.string(exchange.request.routing.taskID) ?? id
        switch exchange.method {
        case .tasksGet:
            (held?.current() ?? owner.state(isDetailed: true)).whenComplete { result in
                switch result {
                case .success(let state):
                    let state = held == nil ? state.withoutInput : state
                    exchange.succeed(
                        complete: state.modern(id: own, members: self.modernMembers("complete", serverInfo: host.info?.serverInfo)))
                case .failure(let error):
                    self.forgetIfUnknown(owner, error)
                    exchange.fail(error)
                }
            }
        case .tasksUpdate:
            let responses = exchange.request.param("inputResponses")
            guard exchange.request.json.isObject(responses) else {
                return exchange.fail(.invalidParams, "tasks/update: params.inputResponses must be an object")
            }
            guard let held else { return acknowledge(exchange, owner, held) }
            held.answer(responses, in: exchange.request.json)
            exchange.succeed(ByteBuffer(string: "{}"))
        default:
            guard held?.isOver != true else { return exchange.succeed(ByteBuffer(string: "{}")) }
            // One that is over is an error to a legacy server, and none to a modern client ("Task Cancellation").
            owner.ask(.tasksCancel).whenComplete { result in
                guard case .success(let response) = result, response.kind == .response else {
                    return self.acknowledge(exchange, owner, held)
                }
                exchange.succeed(ByteBuffer(string: "{}"))
                // Its client need not ask again, and its process is wanted by others.
                _ = held?.current()
            }
        }
    }

    /// Acknowledges what is asked about a task, if there is such a task.
    private func acknowledge(_ exchange: Exchange, _ owner: TaskOwner, _ held: HeldTask?) {
        (held?.current() ?? owner.state(isDetailed: false)).whenComplete { result in
            switch result {
            case .success: exchange.succeed(ByteBuffer(string: "{}"))
            case .failure(let error):
                self.forgetIfUnknown(owner, error)
                exchange.fail(error)
            }
        }
    }

    /// A task that its server does not know needs no process.
    private func forgetIfUnknown(_ owner: TaskOwner, _ error: any Error) {
        if (error as? ExchangeFailure)?.cause == .answered(code: RPCError.Code.invalidParams.rawValue) { heldTasks.remove(owner.key) }
    }

    /// The raw members that a result for a modern client begins with.
    ///
    /// - Parameter meta: the server's raw `_meta`.
    func modernMembers(_ resultType: StaticString, serverInfo: ByteBuffer?, meta: ByteBuffer? = nil) -> ByteBuffer {
        var members = ByteBuffer(string: "\"resultType\":\"\(resultType)\"")
        var named = ByteBuffer()
        if let serverInfo {
            named.writeStaticString("\"io.modelcontextprotocol/serverInfo\":")
            named.writeImmutableBuffer(serverInfo)
        }
        if let meta, let json = try? JSONText(validating: meta), json.isObject(json.root) {
            members.writeStaticString(",\"_meta\":")
            members.write(meta, splicing: serverInfo == nil ? [] : [json.insertion(of: named, into: json.root)])
        } else if serverInfo != nil {
            members.writeStaticString(",\"_meta\":{")
            members.writeImmutableBuffer(named)
            members.writeStaticString("}")
        }
        return members
    }

    // MARK: Calls

    /// A modern client calls a tool of a legacy server's that runs as a task. Its server leaves the choice to the client, the client leaves it
    /// to the server: the gateway makes a task of every call that may be one, if the client declared the extension.
    func callAsModernTask(_ exchange: Exchange, support: TaskSupport, at host: UpstreamHost, splices: [Splice]) {
        let declares = exchange.session.declaresTasks
        guard declares || support == .required else { return forward(exchange, to: host, splices: splices) }
        guard host.isShared || !heldTasks.isFull else {
            LimitHits.count(.maxParkedExchanges)
            return exchange.fail(
                .limit(.maxParkedExchanges, retryAfter: 1),
                "\(settings.maxParkedExchanges) tasks hold a process of their server already (limits.maxParkedExchanges); try again later")
        }
        let task = ByteBuffer(string: "\"task\":{}")
        guard declares else {
            return send(exchange, to: host, splices: splices, task: task) { WaitingCall(exchange: exchange, host: host, peer: $0) }
        }
        let isObserved = exchange.observe(transform: { response in
            let json = response.json
            guard let state = TaskState(json.member("task", of: response.result), in: json, era: .legacy) else { return nil }
            let owner = TaskOwner(host: host, session: exchange.session, id: state.id)
            if !host.isShared { self.heldTasks.hold(owner) }
            let id = exchange.session.server == nil ? host.name + CatalogueView.separator + state.id : state.id
            let meta = json.slice(json.member("_meta", of: response.result))
            return state.modern(id: id, members: self.modernMembers("task", serverInfo: host.info?.serverInfo, meta: meta))
        })
        guard isObserved else { return }
        if !host.isShared { exchange.session.state.withLockedValue { $0.inputsOfNewTask = [] } }
        send(exchange, to: host, splices: splices, task: task) { _ in exchange }
    }

    /// Sends a call with another `task`, or without any, than its client's.
    func send(
        _ exchange: Exchange, to host: UpstreamHost, splices: [Splice], task: ByteBuffer?, declaresTasks: Bool = false,
        handler: (UpstreamPeer) -> any UpstreamCallHandler
    ) {
        guard !exchange.isOver else { return }
        let message = exchange.request
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: splices + message.json.replacement(of: ["task"], in: message.params, by: task))
        guard let changed = try? Message.parse(bytes) else { return exchange.fail(.internalError, "the call could not be changed") }
        var request = UpstreamRequest(
            message: changed, splices: [], progressToken: changed.routing.progressToken, timeout: host.definition.callTimeout)
        request.origin = exchange.session.isModern ? .modern : .legacy(exchange.session)
        request.metaMembers = exchange.context.trace?.members(for: exchange.request)
        request.declaresTasks = declaresTasks
        exchange.isCounted(by: host.requestCounters)
        let level = exchange.session.isModern ? exchange.session.state.withLockedValue { $0.logLevel } : nil
        let sent = host.withPeer(for: exchange.session) { [request] peer in
            if let level { host.ensureLogLevel(level, on: peer) }
            peer.send(request, handler: handler(peer))
        }
        if case .failure(let failure) = sent { exchange.fail(failure) }
    }

    /// The splice that puts the server's name before the id of the task that a result is about; nil where there is none, or no need.
    func taskIDSplice(in message: Message, session: Session, server: String) -> Splice? {
        guard session.server == nil else { return nil }
        let json = message.json
        let span = json.member("taskId", of: message.kind == .notification ? message.params : message.result)
        guard let id = json.string(span) else { return nil }
        return Splice(span, .string(server + CatalogueView.separator + id))
    }
}

extension TaskState {
    /// A server that clients share can ask none of them: what it waits for never comes, and it is still at work for all that can be told.
    var withoutInput: TaskState {
        guard status == .inputRequired, inputRequests == nil else { return self }
        var state = self
        state.status = .working
        return state
    }
}
