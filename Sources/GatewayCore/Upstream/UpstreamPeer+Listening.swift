import Logging
import MCPProtocol
import NIOCore

/// The one `subscriptions/listen` through which a modern server tells of changes of its lists and of its resources. Runs on the event loop.
extension UpstreamPeer {
    func beginListening(_ core: UpstreamPeerCore, info: UpstreamInfo) {
        guard info.era == .modern else { return resolve(core) { _ in false } }
        core.listening = Listening(info)
        for subscriber in core.subscribers.values { core.listening?.add(subscriber.target) }
        listenAgain(core)
    }

    /// The server is gone, or going.
    func endListening(_ core: UpstreamPeerCore) {
        core.listening = nil
        resolve(core) { _ in false }
    }

    /// Asks a modern server to tell of the updates of a resource, or of a task; the server is started if need be.
    ///
    /// - Parameter completion: called once, on the event loop, with whether it does.
    func listen(to target: Listening.Target, within limit: TimeAmount, completion: @escaping @Sendable (Bool) -> Void) {
        onLoop { core in
            let key = core.nextCall
            core.nextCall += 1
            core.subscribers[key] = .init(target: target, completion: completion)
            self.eventLoop.scheduleTask(in: limit) {
                self.core.value.subscribers.removeValue(forKey: key)?.completion(false)
            }
            guard core.info != nil else {
                core.wantsToRun = true
                self.connectIfNeeded(core)
                switch core.phase {
                case .givenUp, .stopping, .stopped: self.resolve(core) { _ in false }
                default: break
                }
                return
            }
            self.listen(to: target, core: core)
        }
    }

    func listen(to target: Listening.Target, core: UpstreamPeerCore) {
        guard let listening = core.listening, listening.takes(target) else {
            return resolve(core) { $0 == target ? false : nil }
        }
        core.listening?.add(target)
        listenAgain(core)
    }

    /// Tasks that a server is asked to tell of for clients that have not asked for it themselves, at most.
    private static let maximumTasks = 1000

    /// Asks a modern server to tell of a task; whether it does matters to nobody.
    func listen(toTask id: String) {
        onLoop { core in
            guard let listening = core.listening, listening.taskIDs.count < Self.maximumTasks else { return }
            self.listen(to: .task(id), core: core)
        }
    }

    /// Nobody wants to hear of it any more.
    func stopListening(to target: Listening.Target) {
        onLoop { self.stopListening(to: target, core: $0) }
    }

    func stopListening(to target: Listening.Target, core: UpstreamPeerCore) {
        guard core.listening?.remove(target) == true else { return }
        listenAgain(core)
    }

    /// Sends a request for what is wanted now, once for all changes of this moment.
    private func listenAgain(_ core: UpstreamPeerCore) {
        guard core.listening?.isDue == false else { return }
        core.listening?.isDue = true
        eventLoop.execute {
            let core = self.core.value
            guard core.listening?.isDue == true else { return }
            core.listening?.isDue = false
            self.sendListen(core)
        }
    }

    private func sendListen(_ core: UpstreamPeerCore) {
        guard case .ready = core.phase, let link = core.link, var listening = core.listening else { return }
        guard listening.isOutOfDate else {
            // What was asked for again is agreed on already.
            if let current = listening.current, current == listening.newest {
                resolve(core) { listening.targets.contains($0) ? true : nil }
            }
            return
        }
        if listening.isEmpty {
            let calls = listening.close()
            core.listening = listening
            for call in calls { sendCancelled(call: call, reason: nil, core: core) }
            return
        }
        let call = core.nextCall
        core.nextCall += 1
        listening.sent(call)
        core.listening = listening
        var params = ByteBuffer(string: "{\"_meta\":{")
        params.writeImmutableBuffer(listening.taskIDs.isEmpty ? settings.requestMembers : settings.taskRequestMembers)
        params.writeStaticString("},\"notifications\":")
        params.writeImmutableBuffer(listening.filter)
        params.writeStaticString("}")
        let request = MessageWriter.request(id: call, method: Method.subscriptionsListen.name, params: params)
        if link.send(request, call: call) != .sent { listenEnded(call, reason: "it takes no more requests", isRefusal: false, core: core) }
    }

    // MARK: What the server says

    /// A notification of a modern server: what belongs to a subscription counts when it is of the one that is in force.
    func receiveListened(_ message: Message, core: UpstreamPeerCore) {
        let span = message.json.member(RequestMetadata.Key.subscriptionID, of: message.routing.meta)
        guard span.isPresent else {
            core.owner?.peer(self, receivedNotification: message)
            return
        }
        guard let call = message.json.callNumber(span), let listening = core.listening, listening.owns(call) else { return }
        if message.methodName == .subscriptionsAcknowledged { return acknowledged(call, by: message, core: core) }
        guard listening.counts(call, message.methodName) else { return }
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: RequestMetadata.subscriptionRemoval(from: message))
        guard let stripped = try? Message.parse(bytes) else { return }
        core.owner?.peer(self, receivedNotification: stripped)
    }

    private func acknowledged(_ call: UInt64, by message: Message, core: UpstreamPeerCore) {
        let keepsReplaced = core.link?.callsHaveStreams ?? false
        guard let (replaced, asked, wasInterrupted) = core.listening?.acknowledged(call, keepsReplaced: keepsReplaced) else { return }
        for call in replaced {
            keepsReplaced ? takeBackLater(call, attempt: core.attempt) : sendCancelled(call: call, reason: nil, core: core)
        }
        let json = message.json
        let filter = message.param("notifications")
        func strings(_ key: StaticString) -> [String] { json.elements(of: json.member(key, of: filter)).compactMap { json.string($0) } }
        let agreed = Set(
            strings("resourceSubscriptions").map(Listening.Target.resource) + strings("taskIds").map(Listening.Target.task))
        core.listening?.refused(
            asked.filter { target in if case .task = target { !agreed.contains(target) } else { false } }, of: call)
        resolve(core) { asked.contains($0) ? agreed.contains($0) : nil }
        guard wasInterrupted else { return }
        // What changed while nobody listened was not told.
        for method in core.listening?.methods ?? [] {
            guard let notification = try? Message.parse(MessageWriter.notification(method: method.name)) else { continue }
            core.owner?.peer(self, receivedNotification: notification)
        }
    }

    /// How long a replaced request stays open, so that what is on its way arrives.
    private static let graceOfReplaced = TimeAmount.milliseconds(500)

    /// Takes a replaced request back; after the last one the lists are read again, because a change may have come on neither stream in time.
    private func takeBackLater(_ call: UInt64, attempt: UInt64) {
        eventLoop.scheduleTask(in: Self.graceOfReplaced) {
            let core = self.core.value
            guard core.attempt == attempt, let isLast = core.listening?.takesBack(call) else { return }
            self.sendCancelled(call: call, reason: nil, core: core)
            guard isLast, let time = core.listening?.reread(at: self.eventLoop.now) else { return }
            self.eventLoop.scheduleTask(deadline: time) {
                let core = self.core.value
                guard core.attempt == attempt, let methods = core.listening?.methods, !methods.isEmpty else { return }
                core.owner?.peer(self, mayHaveMissed: methods)
            }
        }
    }

    /// The server has ended a subscription, in an orderly way or with an error.
    func listenAnswered(_ call: UInt64, by response: Message, core: UpstreamPeerCore) {
        let json = response.json
        let code = json.integer(json.member("code", of: response.error))
        let refusals: [RPCError.Code] = [.methodNotFound, .invalidParams, .missingRequiredClientCapability]
        let isRefusal = refusals.contains { $0.rawValue == code }
        listenEnded(
            call, reason: response.kind == .response ? "the server ended it" : response.errorText, isRefusal: isRefusal, core: core)
    }

    func listenEnded(_ call: UInt64, reason: String, isRefusal: Bool, core: UpstreamPeerCore) {
        guard let end = core.listening?.ended(call, isRefusal: isRefusal) else { return }
        switch end {
        case .nothing: return
        case .keptOld(let lost):
            logger.warning("upstream refused a subscription", metadata: ["upstream": "\(name)", "reason": "\(reason)"])
            resolve(core) { lost.contains($0) ? false : nil }
        case .refused:
            logger.warning("upstream refused to tell of changes", metadata: ["upstream": "\(name)", "reason": "\(reason)"])
            resolve(core) { _ in false }
        case .lost:
            let delay = core.listening?.delay(jitter: .random(in: 0..<1)) ?? .seconds(1)
            logger.info(
                "upstream's subscription ended; it is opened again",
                metadata: ["upstream": "\(name)", "reason": "\(reason)", "after_ms": "\(delay.nanoseconds / 1_000_000)"])
            let attempt = core.attempt
            eventLoop.scheduleTask(in: delay) {
                let core = self.core.value
                if core.attempt == attempt { self.sendListen(core) }
            }
        }
    }

    /// Tells those who wait what became of what they want to hear of; nil: not known yet.
    private func resolve(_ core: UpstreamPeerCore, _ outcome: (Listening.Target) -> Bool?) {
        for (key, subscriber) in core.subscribers {
            guard let isAgreed = outcome(subscriber.target) else { continue }
            core.subscribers.removeValue(forKey: key)
            subscriber.completion(isAgreed)
        }
    }
}
