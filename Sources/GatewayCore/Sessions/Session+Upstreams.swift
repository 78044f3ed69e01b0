import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What a session has to do with its own upstream processes, and with what upstreams say by themselves.
extension Session {
    /// The client's `initialize` params for a process of its own, speaking the revision agreed on with the client.
    func initializeParams(forRevision revision: Revision) -> ByteBuffer {
        guard let json = try? JSONText(validating: initializeParams) else { return initializeParams }
        var bytes = ByteBuffer()
        bytes.write(initializeParams, splicing: [Splice(json.member("protocolVersion", of: json.root), .string(revision.rawValue))])
        bytes.replaceLineBreaks()
        return bytes
    }

    /// Whether the client declared a capability in its `initialize`.
    func declares(_ capability: StaticString) -> Bool {
        guard let json = try? JSONText(validating: initializeParams) else { return false }
        return json.member(capability, of: json.member("capabilities", of: json.root)).isPresent
    }

    /// Tells a process that was started (again) what the client had told an earlier one.
    func restoreUpstreamState(on peer: UpstreamPeer, host: String, info: UpstreamInfo) {
        let (level, uris) = state.withLockedValue { state in
            (state.logLevel, state.subscriptions.filter { $0.value == host }.map(\.key).sorted())
        }
        if let level, info.has("logging") { peer.setLogLevel(level) }
        for uri in uris { peer.subscribe(uri: uri) }
    }

    /// A notification of the session's own process.
    func receive(_ notification: Message, method: MCPProtocol.Method, from peer: UpstreamPeer) {
        var bytes = notification.bytes
        switch method {
        case .loggingMessage:
            guard wants(notification) else { return }
        case .progress:
            // Of a request that is over, or with a token that nobody gave.
            return
        case .resourcesUpdated:
            sendUnsolicited(bytes)
            return
        case .cancelled:
            guard let cancelled = cancelInput(notification, from: peer) else { return }
            bytes = cancelled
        default: break
        }
        if let exchange = peer.newestExchange(), exchange.emit(.notification(bytes)) { return }
        sendUnsolicited(bytes)
    }

    /// Whether the client asked for log messages of some level.
    var hasLogLevel: Bool { state.withLockedValue { $0.logLevel } != nil }

    /// Whether a `notifications/message` is at least as severe as the client asked for.
    func wants(_ message: Message) -> Bool {
        let minimum = state.withLockedValue { $0.logLevel }
        // A modern request must ask for them (2026-07-28, server/utilities/logging).
        if isModern, minimum == nil { return false }
        guard let minimum, let level = message.json.string(message.param("level")).flatMap(LogLevel.init(rawValue:))
        else { return true }
        return level >= minimum
    }

    /// Whether an update of `uri` concerns a subscription: the same URI, or one below it (server/resources, "Subscriptions").
    func isSubscribed(to uri: String) -> Bool {
        state.withLockedValue { state in
            state.subscriptions[uri] != nil || state.subscriptions.keys.contains { uri.isBelow($0) }
        }
    }

    /// Remembers who runs a task of the session's.
    func rememberTask(_ id: String, upstream: String) {
        let limit = gateway.settings.maxRememberedPerSession
        let dropped = state.withLockedValue { state -> String? in
            defer { state.tasks[id] = upstream }
            return state.tasks.count >= limit ? state.tasks.keys.first : nil
        }
        if let dropped {
            state.withLockedValue { _ = $0.tasks.removeValue(forKey: dropped) }
            gateway.sessions.setAttribute(.task(id: dropped), of: self.id, to: nil, completion: nil)
        }
        gateway.sessions.setAttribute(.task(id: id), of: self.id, to: ByteBuffer(string: upstream), completion: nil)
    }

    /// The task is not there any more.
    func forgetTask(_ id: String) {
        state.withLockedValue { _ = $0.tasks.removeValue(forKey: id) }
        gateway.sessions.setAttribute(.task(id: id), of: self.id, to: nil, completion: nil)
    }

    func upstream(ofTask id: String) -> String? { state.withLockedValue { $0.tasks[id] } }

    /// Ends everything that the session has in this process, for good.
    func end() -> [EventLoopFuture<Void>] {
        let rest = takeRest()
        for exchange in rest.exchanges { exchange.cancel(reason: .jsonString("session ended")) }
        for stream in rest.streams { stream.end() }
        return stopProcesses(of: rest)
    }

    /// Ends everything that the session has in this process and leaves alone what is in the stores: it goes on elsewhere.
    func leave() -> [EventLoopFuture<Void>] {
        leaveRepeatable()
        let rest = takeRest()
        for exchange in rest.exchanges { exchange.fail(.moved) }
        // What the exchanges ended with reaches their clients, though not the log.
        gateway.whenPassedOn { for stream in rest.streams { stream.leave() } }
        return stopProcesses(of: rest)
    }

    /// What a session had when it ended.
    private struct Rest {
        let peers: [String: UpstreamPeer]
        let streams: [EventStream]
        let exchanges: [Exchange]
        let sink: (any UnsolicitedSink)?
    }

    private func takeRest() -> Rest {
        state.withLockedValue { state in
            state.isEnded = true
            defer {
                state.peers.removeAll()
                state.streams.removeAll()
                state.listening.removeAll()
                state.feed = nil
                state.inputs.removeAll()
                state.subscriptions.removeAll()
                state.unsolicited = nil
            }
            return Rest(
                peers: state.peers, streams: state.listening + Array(state.streams.values) + (state.feed.map { [$0] } ?? []),
                exchanges: Array(state.exchanges.values), sink: state.unsolicited)
        }
    }

    private func stopProcesses(of rest: Rest) -> [EventLoopFuture<Void>] {
        rest.sink?.sessionEnded()
        return rest.peers.map { name, peer in gateway.host(named: name)?.release(peer) ?? peer.stop() }
    }
}

extension String {
    /// Whether the URI names something inside what `parent` names.
    fileprivate func isBelow(_ parent: String) -> Bool {
        guard hasPrefix(parent), let next = dropFirst(parent.count).first else { return false }
        return parent.hasSuffix("/") || next == "/" || next == "?" || next == "#"
    }
}

extension MCPProtocol.Method {
    /// The client capability that a server's request needs; nil for methods that need none or are not known.
    var clientCapability: StaticString? {
        switch self {
        case .samplingCreateMessage: "sampling"
        case .elicitationCreate: "elicitation"
        case .rootsList: "roots"
        default: nil
        }
    }
}

extension UpstreamPeer {
    /// Asks for log messages of that level and above; the answer does not matter to anybody. A modern server is told with each request.
    func setLogLevel(_ level: LogLevel) {
        onLoop { core in
            guard core.info?.era != .modern else { return }
            self.request(method: MCPProtocol.Method.loggingSetLevel.name, params: ByteBuffer(string: "{\"level\":\"\(level.rawValue)\"}"))
                .whenFailure {
                    self.logger.info("upstream refused the log level", metadata: ["upstream": "\(self.name)", "error": "\($0)"])
                }
        }
    }

    /// Nobody wants updates of a resource any more; the answer does not matter to anybody.
    func unsubscribe(uri: String) {
        onLoop { core in
            if core.listening != nil { return self.stopListening(to: .resource(uri), core: core) }
            self.request(method: MCPProtocol.Method.resourcesUnsubscribe.name, params: Self.params(uri: uri)).whenFailure {
                self.logger.info("subscription not ended", metadata: ["upstream": "\(self.name)", "error": "\($0)"])
            }
        }
    }

    /// Subscribes again after a restart.
    func subscribe(uri: String) {
        onLoop { core in
            if core.listening != nil { return self.listen(to: .resource(uri), core: core) }
            self.request(method: MCPProtocol.Method.resourcesSubscribe.name, params: Self.params(uri: uri)).whenFailure {
                self.logger.warning("subscription not renewed", metadata: ["upstream": "\(self.name)", "error": "\($0)"])
            }
        }
    }

    /// The params of a request that names a resource.
    static func params(uri: String) -> ByteBuffer {
        var params = ByteBuffer(string: "{\"uri\":")
        params.writeJSONString(uri)
        params.writeStaticString("}")
        return params
    }
}
