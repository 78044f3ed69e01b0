public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Where a client's request goes.
extension Gateway {
    /// Starts the exchange for a request. Every event, the response included, goes to `sink`.
    public func handle(_ request: Message, in session: Session, context: RequestContext = .none, sink: any ExchangeSink) {
        let method = request.methodName
        let exchange = Exchange(session: session, request: request, method: method, context: context, sink: sink)
        exchangeBegan()
        guard session.exchangeBegan(exchange) else {
            exchangeEnded()
            let limit = settings.maxConcurrentPerSession
            LimitHits.count(.maxConcurrentPerSession)
            let failure = ExchangeFailure(
                .limit(.maxConcurrentPerSession, retryAfter: 1),
                "the session has \(limit) requests in progress (limits.maxConcurrentPerSession); try again")
            return sink.emit(.error(failure.error.response(id: exchange.idBytes), failure.cause), of: exchange)
        }
        route(exchange)
    }

    /// Sends an exchange where its method belongs.
    func route(_ exchange: Exchange) {
        switch exchange.method {
        case .toolsCall: callTool(exchange)
        case .ping: exchange.succeed(ByteBuffer(string: "{}"))
        case .toolsList, .promptsList, .resourcesList, .resourcesTemplatesList: list(exchange)
        case .promptsGet: getPrompt(exchange)
        case .resourcesRead: readResource(exchange)
        case .resourcesSubscribe, .resourcesUnsubscribe: subscribe(exchange)
        case .completionComplete: complete(exchange)
        case .loggingSetLevel: setLogLevel(exchange)
        case .tasksGet, .tasksResult, .tasksCancel: forwardTask(exchange)
        case .tasksList: listTasks(exchange)
        case .initialize:
            exchange.fail(.invalidRequest, "the session is initialized already")
        default: passThrough(exchange)
        }
    }

    // MARK: Routing

    /// Sends an exchange to an upstream.
    func forward(_ exchange: Exchange, to host: UpstreamHost, splices: [Splice] = []) {
        host.whenEraKnown { self.send(exchange, to: host, splices: splices) }
    }

    private func send(_ exchange: Exchange, to host: UpstreamHost, splices: [Splice]) {
        guard !exchange.isOver else { return }
        exchange.isCounted(by: host.requestCounters)
        var splices = splices
        if let state = exchange.openedState(for: host.name) { splices.append(state) }
        let level = exchange.session.isModern ? exchange.session.state.withLockedValue { $0.logLevel } : nil
        let sent = host.withPeer(for: exchange.session) { [splices] peer in
            if let level { host.ensureLogLevel(level, on: peer) }
            peer.send(exchange.upstreamRequest(splices: splices, timeout: host.definition.callTimeout), handler: exchange)
        }
        if case .failure(let failure) = sent { exchange.fail(failure) }
    }

    /// Where a prefixed name leads.
    enum NameRoute {
        case host(UpstreamHost, ownName: String, splices: [Splice])
        case unknown(String)
        case notAString
    }

    /// Splits `<server>__<name>`; on the endpoint of one server names are the server's own.
    func route(name span: JSONSpan, of exchange: Exchange) -> NameRoute {
        let json = exchange.request.json
        guard let name = json.string(span) else { return .notAString }
        if let server = exchange.session.server {
            guard let host = host(named: server) else { return .unknown(name) }
            return .host(host, ownName: name, splices: [])
        }
        guard let separator = name.utf8.firstSeparator, let host = host(named: String(name[..<separator.lowerBound])) else {
            return .unknown(name)
        }
        let ownName = String(name[separator.upperBound...])
        // Unescaped, the prefix has as many bytes in the message as in the string: it is cut out and nothing else is touched.
        let prefixLength = UInt32(name.utf8.distance(from: name.startIndex, to: separator.upperBound))
        if span.count == name.utf8.count + 2 {
            let prefix = JSONSpan(start: span.start + 1, end: span.start + 1 + prefixLength)
            return .host(host, ownName: ownName, splices: [Splice(prefix, .bytes(ByteBuffer()))])
        }
        return .host(host, ownName: ownName, splices: [Splice(span, .string(ownName))])
    }

    private func callTool(_ exchange: Exchange) {
        let name = exchange.request.routing.name
        let isTask = exchange.request.routing.task.isPresent
        switch route(name: name, of: exchange) {
        case .host(let host, let ownName, let splices):
            guard host.definition.toolFilter.isTrivial || host.definition.toolFilter.passes(ownName) else {
                return exchange.fail(unknownTool(exchange.request.json.string(name) ?? ""))
            }
            guard isTask || exchange.session.isModern && host.mayHaveTaskTools else {
                return forward(exchange, to: host, splices: splices)
            }
            whenSettled(server: host.name) {
                let support = host.isModern || !host.hasTasks ? nil : host.catalogue.taskSupport[ownName]
                if !exchange.session.isModern {
                    self.callAsLegacyTask(exchange, at: host, splices: splices)
                } else if let support {
                    self.callAsModernTask(exchange, support: support, at: host, splices: splices)
                } else {
                    self.forward(exchange, to: host, splices: splices)
                }
            }
        case .unknown(let name):
            guard let tool = builtin(named: name), exchange.session.server == nil || exchange.session.server == Self.builtinName else {
                return exchange.fail(unknownTool(name))
            }
            call(tool, exchange)
        case .notAString:
            exchange.fail(.invalidParams, "tools/call: params.name must be a string")
        }
    }

    private func unknownTool(_ name: String) -> ExchangeFailure { ExchangeFailure(.unknownTool, "Unknown tool: \(name)") }

    /// What caused a server's error. A server that refuses the params of a tool which is not in its list does not know the tool: servers have
    /// no code for that (server/tools, "Error Handling").
    func cause(ofAnswer response: Message, to exchange: Exchange) -> ExchangeFailure.Cause {
        let code = response.json.integer(response.json.member("code", of: response.error)) ?? RPCError.Code.internalError.rawValue
        guard exchange.method == .toolsCall, code == RPCError.Code.invalidParams.rawValue || code == RPCError.Code.methodNotFound.rawValue,
            case .host(let host, let ownName, _) = route(name: exchange.request.routing.name, of: exchange)
        else { return .answered(code: code) }
        let catalogue = exchange.session.state.withLockedValue { $0.catalogues[host.name] } ?? host.catalogue
        return catalogue.entries(.tools).contains { $0.identifier == ownName } ? .answered(code: code) : .unknownTool
    }

    private func call(_ tool: any BuiltinTool, _ exchange: Exchange) {
        exchange.isCounted(by: builtinCounters)
        let arguments = exchange.request.json.slice(exchange.request.param("arguments"))
        // The built-in tools wait for processes and sockets: a task is the right cost for them.
        Task {
            do throws(BuiltinToolError) {
                exchange.succeed(try await tool.call(arguments: arguments))
            } catch {
                exchange.fail(error.failure)
            }
        }
    }

    private func getPrompt(_ exchange: Exchange) {
        switch route(name: exchange.request.routing.name, of: exchange) {
        case .host(let host, _, let splices): forward(exchange, to: host, splices: splices)
        case .unknown(let name): exchange.fail(.unknownPrompt, "Unknown prompt: \(name)")
        case .notAString: exchange.fail(.invalidParams, "prompts/get: params.name must be a string")
        }
    }

    private func list(_ exchange: Exchange) {
        guard let kind = CatalogueKind(listMethod: exchange.method) else { return }
        let cursor = exchange.request.param("cursor")
        let text = exchange.request.json.string(cursor)
        guard !cursor.isPresent || text != nil || exchange.request.json.equals(cursor, "null") else {
            return exchange.fail(.invalidParams, "\(exchange.method.name): params.cursor must be a string")
        }
        let answer: @Sendable () -> Void = {
            guard let page = self.view(for: exchange.session).page(kind, cursor: text) else {
                return exchange.fail(.invalidParams, "Invalid cursor: the list has changed or the cursor is not of this gateway")
            }
            exchange.succeed(page, hint: self.cacheHint(of: kind, for: exchange.session))
        }
        whenSettled(server: exchange.session.server) {
            // Only at its beginning: who is in the middle of a list goes on with the same one.
            text == nil ? self.whenFresh(kind, server: exchange.session.server, answer) : answer()
        }
    }

    // MARK: Resources

    private func readResource(_ exchange: Exchange) {
        withResourceOwner(exchange) { host in self.forward(exchange, to: host) }
    }

    /// Finds the upstream that has `params.uri`; when the catalogue does not tell, all that have resources are asked in turn.
    private func withResourceOwner(_ exchange: Exchange, _ body: @escaping @Sendable (UpstreamHost) -> Void) {
        guard let uri = exchange.request.json.string(exchange.request.routing.uri) else {
            return exchange.fail(.invalidParams, "\(exchange.method.name): params.uri must be a string")
        }
        whenSettled(server: exchange.session.server) {
            let hosts = self.hosts(of: exchange.session)
            if let owner = self.view(for: exchange.session).owner(ofResource: uri), let host = hosts.first(where: { $0.name == owner }) {
                return body(host)
            }
            let candidates = hosts.filter { $0.info?.has("resources") ?? true }
            if candidates.count == 1 { return body(candidates[0]) }
            let codes: Set<Int> = [
                RPCError.Code.resourceNotFound.rawValue, RPCError.Code.invalidParams.rawValue, RPCError.Code.methodNotFound.rawValue,
                RPCError.Code.internalError.rawValue, 0,
            ]
            FallbackCall.start(
                exchange, hosts: candidates, passOn: codes,
                noneLeft: .unknownResource(uri))
        }
    }

    private func subscribe(_ exchange: Exchange) {
        guard let uri = exchange.request.json.string(exchange.request.routing.uri) else {
            return exchange.fail(.invalidParams, "\(exchange.method.name): params.uri must be a string")
        }
        let session = exchange.session
        let isSubscribe = exchange.method == .resourcesSubscribe
        if isSubscribe, session.state.withLockedValue({ $0.subscriptions.count }) >= settings.maxRememberedPerSession {
            return exchange.fail(.internalError, "the session has too many subscriptions")
        }
        withResourceOwner(exchange) { host in
            let attribute = SessionAttribute.subscription(uri: uri)
            let isStored = !session.isModern
            if !isSubscribe {
                session.state.withLockedValue { _ = $0.subscriptions.removeValue(forKey: uri) }
                if isStored { self.sessions.setAttribute(attribute, of: session.id, to: nil, completion: nil) }
                // A shared server goes on as long as any session wants the updates.
                if host.isShared, self.registry.all.contains(where: { $0.isSubscribed(to: uri) }) {
                    return exchange.succeed(ByteBuffer(string: "{}"))
                }
                return self.changeSubscription(exchange, uri: uri, at: host)
            }
            // Remembered before the server is asked, so that an update that comes with the answer finds its way.
            session.state.withLockedValue { $0.subscriptions[uri] = host.name }
            if isStored { self.sessions.setAttribute(attribute, of: session.id, to: ByteBuffer(string: host.name), completion: nil) }
            let forget: @Sendable () -> Void = {
                session.state.withLockedValue { _ = $0.subscriptions.removeValue(forKey: uri) }
                if isStored { self.sessions.setAttribute(attribute, of: session.id, to: nil, completion: nil) }
            }
            // Cancelled while its owner was looked for.
            guard exchange.observe(onFailure: forget) else { return forget() }
            self.changeSubscription(exchange, uri: uri, at: host)
        }
    }

    // MARK: Completion, logging

    private func complete(_ exchange: Exchange) {
        let json = exchange.request.json
        let reference = exchange.request.routing.reference
        if json.equals(json.member("type", of: reference), "\"ref/prompt\"") {
            switch route(name: json.member("name", of: reference), of: exchange) {
            case .host(let host, _, let splices): forward(exchange, to: host, splices: splices)
            case .unknown(let name): exchange.fail(.unknownPrompt, "Unknown prompt: \(name)")
            case .notAString: exchange.fail(.invalidParams, "completion/complete: ref.name must be a string")
            }
            return
        }
        guard let uri = json.string(json.member("uri", of: reference)) else {
            return exchange.fail(.invalidParams, "completion/complete: ref must be a prompt or a resource")
        }
        whenSettled(server: exchange.session.server) {
            let view = self.view(for: exchange.session)
            let hosts = self.hosts(of: exchange.session)
            let owner = view.owner(ofTemplate: uri) ?? view.owner(ofResource: uri)
            if let host = hosts.first(where: { $0.name == owner }) ?? (hosts.count == 1 ? hosts[0] : nil) {
                return self.forward(exchange, to: host)
            }
            exchange.fail(.invalidParams, "Unknown resource: \(uri)")
        }
    }

    private func setLogLevel(_ exchange: Exchange) {
        guard let text = exchange.request.json.string(exchange.request.param("level")), let level = LogLevel(rawValue: text) else {
            let levels = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
            return exchange.fail(.invalidParams, "logging/setLevel: params.level must be one of \(levels)")
        }
        let session = exchange.session
        let peers = session.state.withLockedValue { state in
            state.logLevel = level
            return state.peers
        }
        for peer in peers.values { peer.setLogLevel(level) }
        for host in hosts(of: session) where host.isShared && host.info?.has("logging") == true {
            _ = host.withPeer(for: session) { $0.setLogLevel(mostVerboseLevel ?? level) }
        }
        sessions.setAttribute(.logLevel, of: session.id, to: ByteBuffer(string: level.rawValue)) { _ in
            exchange.succeed(ByteBuffer(string: "{}"))
        }
    }

    /// The lowest level any session in memory asked for: what shared servers must send.
    var mostVerboseLevel: LogLevel? { registry.all.compactMap { $0.state.withLockedValue { $0.logLevel } }.min() }

    // MARK: Anything else

    /// A method the gateway does not know: to the upstream its params point at, or to the first that knows it.
    private func passThrough(_ exchange: Exchange) {
        let candidates = hosts(of: exchange.session)
        if case .host(let host, _, let splices) = route(name: exchange.request.routing.name, of: exchange), exchange.session.server == nil {
            return forward(exchange, to: host, splices: splices)
        }
        if let task = exchange.request.json.string(exchange.request.routing.taskID), let owner = exchange.session.upstream(ofTask: task),
            let host = candidates.first(where: { $0.name == owner })
        {
            return forward(exchange, to: host)
        }
        let unknown = ExchangeFailure(.unknownMethod, "Method not found: \(exchange.method.name)")
        if candidates.count == 1 { return forward(exchange, to: candidates[0]) }
        FallbackCall.start(exchange, hosts: candidates, passOn: [RPCError.Code.methodNotFound.rawValue], noneLeft: unknown)
    }
}

extension String.UTF8View {
    /// The first `__`.
    var firstSeparator: Range<Index>? {
        var index = startIndex
        while index < endIndex {
            let next = self.index(after: index)
            if self[index] == UInt8(ascii: "_"), next < endIndex, self[next] == UInt8(ascii: "_") {
                return index..<self.index(after: next)
            }
            index = next
        }
        return nil
    }
}
