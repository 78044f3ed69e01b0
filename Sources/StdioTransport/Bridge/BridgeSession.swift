import MCPHTTPClient
import MCPProtocol
import NIOCore

/// The bridge's side of a client: what is under way, what waits for a gateway that is away, and, for a legacy client, what
/// a new session must be told when the old one is gone. A state machine without I/O.
struct BridgeSession: Sendable {
    struct Limits: Sendable {
        var waitLimit: TimeAmount
        var maxHeldMessages: Int
        var maxHeldBytes: Int
        var maxResends: Int
        var maxSubscriptions: Int
        /// The gateway, as errors name it.
        var gateway: String
    }

    enum Phase: Sendable, Equatable {
        /// Messages go through.
        case open
        /// The gateway is away; a retry is scheduled.
        case waiting
        /// The session is gone: a replayed `initialize` is under way, or waits for its retry.
        case reinitializing
        /// The new session is told the log level and subscriptions; so many answers are missing.
        case restoring(missing: Int)
    }

    /// A request of the client.
    struct Request: Sendable {
        let message: Message
        let key: RequestKey
        /// When it is given up if it waits for the gateway.
        var deadline: NIODeadline
        /// It is of no session.
        let isModern: Bool
        /// Of `subscriptions/listen`: the client was told that it listens.
        var isAcknowledged = false
        /// The list of tools was read again because the server refused it.
        var hasRelearned = false
        var resends = 0
        /// The session that it was sent in.
        var generation = 0
    }

    enum Held: Sendable {
        case request(Request)
        case notification(ByteBuffer)

        var bytes: Int {
            switch self {
            case .request(let request): request.message.bytes.readableBytes
            case .notification(let bytes): bytes.readableBytes
            }
        }
    }

    let limits: Limits
    var phase = Phase.open
    var memory = SessionMemory()
    /// The client's requests that were sent, by token.
    var outstanding: [UInt64: Request] = [:]
    var tokens: [RequestKey: UInt64] = [:]
    /// Replayed requests that were sent.
    var replays: [RequestKey: UInt64] = [:]
    var held = CircularBuffer<Held>()
    var heldBytes = 0
    /// What calls of tools repeat in header fields.
    var toolHeaders = ToolHeaders()
    /// Under way when a call was refused for its header.
    var relearning: Relearning?
    /// Failures in a row to reach the gateway.
    var attempts = 0
    var isRetryScheduled = false
    /// Counts the sessions that were begun in place of lost ones.
    var generation = 0
    private var lastToken: UInt64 = 0
    private var isDraining = false

    init(limits: Limits) {
        self.limits = limits
    }

    // MARK: From the client

    /// A line of the client: one message or a batch.
    mutating func received(line: ByteBuffer, now: NIODeadline) -> [BridgeAction] {
        do throws(MessageError) {
            switch try Message.parsePayload(line) {
            case .single(let message): return received(message, now: now)
            case .batch(let messages):
                return messages.flatMap { element in
                    switch element {
                    case .success(let message): received(message, now: now)
                    case .failure(let error): [BridgeAction.write(error.rpcError.response(id: error.id))]
                    }
                }
            }
        } catch {
            return [.write(error.rpcError.response(id: error.id))]
        }
    }

    private mutating func received(_ message: Message, now: NIODeadline) -> [BridgeAction] {
        switch message.kind {
        case .request: return receivedRequest(message, now: now)
        case .notification: return receivedNotification(message)
        case .response, .errorResponse:
            // The request that it answers belongs to a session that is gone.
            guard phase == .open else { return [.log("an answer to a request of the lost session was dropped")] }
            return [.send(message.bytes, token: nil)]
        }
    }

    private mutating func receivedRequest(_ message: Message, now: NIODeadline) -> [BridgeAction] {
        guard let key = RequestKey(message.id, in: message.json) else { return [] }
        guard tokens[key] == nil, !isHeld(key), !isRelearning(key) else {
            return [refusal(message, .invalidRequest, "Invalid Request: a request with this id is already under way")]
        }
        let isModern = RequestMetadata.isPresent(in: message)
        let request = Request(message: message, key: key, deadline: now + limits.waitLimit, isModern: isModern)
        if message.methodName == .initialize, !isModern {
            memory = SessionMemory(initialize: message)
            // A new handshake needs no restored old one.
            if phase != .waiting { phase = .open }
            replays.removeAll()
        }
        guard phase == .open else { return hold(.request(request)) }
        return [send(request)]
    }

    private mutating func receivedNotification(_ message: Message) -> [BridgeAction] {
        switch message.methodName {
        case .initialized:
            memory.initialized = message.bytes
            guard phase == .open else { return hold(.notification(message.bytes)) }
            var actions: [BridgeAction] = [.send(message.bytes, token: nil)]
            if let revision = memory.revision { actions.append(.initialized(revision: revision, openListeningStream: true)) }
            return actions
        case .cancelled:
            guard let key = RequestKey(message.param("requestId"), in: message.json) else { break }
            if removeHeld(key) || removeRelearning(key) { return finishIfDrained() }
            if let actions = cancelModern(key) { return actions }
            // Of a modern request that is over; there is no session that it could be for.
            if memory.initialize == nil { return [] }
        default: break
        }
        guard phase == .open else { return hold(.notification(message.bytes)) }
        return [.send(message.bytes, token: nil)]
    }

    /// The client has closed its output: outstanding answers are awaited.
    mutating func inputEnded() -> [BridgeAction] {
        isDraining = true
        return stopListening() + finishIfDrained()
    }

    // MARK: From the gateway

    /// A message of the gateway.
    mutating func received(fromGateway bytes: ByteBuffer, now: NIODeadline) -> [BridgeAction] {
        guard let message = try? Message.parse(bytes) else { return [.log("the gateway sent what is no message")] }
        attempts = 0
        let line = Self.line(message)
        guard message.kind == .response || message.kind == .errorResponse else {
            return isRepeatedAcknowledgement(message) ? [] : [.write(line)]
        }
        guard let key = RequestKey(message.id, in: message.json) else { return [.write(line)] }
        if replays.removeValue(forKey: key) != nil { return replayAnswered(message, now: now) }
        if relearning?.key == key { return relearned(message) }
        guard let token = tokens.removeValue(forKey: key), let request = outstanding.removeValue(forKey: token) else {
            return [.log("an answer to no request under way was dropped")]
        }
        if request.isModern { return modernAnswered(request, message, line: line) + finishIfDrained() }
        var actions: [BridgeAction] = [.write(line)]
        if message.kind == .response {
            memory.note(success: request.message, answer: message, maxSubscriptions: limits.maxSubscriptions)
            if request.message.methodName == .initialize, let revision = memory.revision {
                actions.append(.initialized(revision: revision, openListeningStream: false))
                if phase == .open, !isRetryScheduled { actions += releaseHeld() }
            }
        }
        return actions + finishIfDrained()
    }

    /// A request ended without an answer.
    mutating func failed(token: UInt64, _ error: StreamableHTTPError, now: NIODeadline) -> [BridgeAction] {
        if let replay = replays.first(where: { $0.value == token }) {
            replays.removeValue(forKey: replay.key)
            return replayFailed(error, now: now)
        }
        if relearning?.token == token { return relearningFailed(error) }
        guard var request = outstanding.removeValue(forKey: token) else { return [] }
        tokens.removeValue(forKey: request.key)
        if error == .sessionEnded, !request.isModern, memory.initialize != nil, request.message.methodName != .initialize {
            request.resends += 1
            guard request.resends <= limits.maxResends else {
                return [giveUp(request, "the gateway keeps ending the session (\(request.resends) times)")] + finishIfDrained()
            }
            guard phase == .open else { return hold(.request(request)) }
            // A late failure of the old session.
            guard request.generation == generation else { return [send(request)] }
            return hold(.request(request)) + reinitialize()
        }
        let mayResend = error.isSafeToResend || Self.canRepeat(request.message)
        if mayResend, error.isUnreachable || error.isSafeToResend {
            // It may have been open for long.
            if request.message.methodName == .subscriptionsListen { request.deadline = now + limits.waitLimit }
            return hold(.request(request)) + gatewayAway(error)
        }
        return [giveUp(request, Self.explanation(error, of: request))] + finishIfDrained()
    }

    /// The gateway does not know the session any more.
    mutating func sessionEnded() -> [BridgeAction] {
        guard memory.initialize != nil, phase == .open else { return [] }
        return reinitialize()
    }

    /// Time has passed: requests that waited too long are answered. To be called about once a second.
    mutating func tick(now: NIODeadline) -> [BridgeAction] {
        expire(now: now) + finishIfDrained()
    }

    /// The wait of `scheduleRetry` is over.
    mutating func retry(now: NIODeadline) -> [BridgeAction] {
        isRetryScheduled = false
        var actions = expire(now: now)
        switch phase {
        case .waiting:
            phase = .open
            actions += releaseHeld()
        case .reinitializing where replays.isEmpty: actions += reinitialize()
        case .open where !held.isEmpty: actions += releaseHeld()
        default: break
        }
        return actions
    }

    // MARK: Parts

    mutating func nextToken() -> UInt64 {
        lastToken += 1
        return lastToken
    }

    mutating func send(_ request: Request) -> BridgeAction {
        var request = request
        request.generation = generation
        let token = nextToken()
        outstanding[token] = request
        tokens[request.key] = token
        return .send(request.message.bytes, token: token)
    }

    func giveUp(_ request: Request, _ reason: String) -> BridgeAction {
        refusal(request.message, request.isModern ? .internalError : .connectionClosed, reason)
    }

    private func refusal(_ message: Message, _ code: RPCError.Code, _ text: String) -> BridgeAction {
        .write(RPCError(code: code, message: text).response(id: message.idBytes))
    }

    mutating func finishIfDrained() -> [BridgeAction] {
        guard isDraining, outstanding.isEmpty, held.isEmpty, relearning == nil else { return [] }
        isDraining = false
        return [.finish]
    }

    /// A message of the gateway as one line (basic/transports, stdio).
    private static func line(_ message: Message) -> ByteBuffer {
        guard message.hasLineBreaks else { return message.bytes }
        var bytes = message.bytes
        bytes.replaceLineBreaks()
        return bytes
    }

    /// Whether doing it twice is as good as doing it once.
    private static func canRepeat(_ message: Message) -> Bool {
        // What it carries may work once only.
        guard !message.param("requestState").isPresent else { return false }
        return switch message.methodName {
        case .initialize, .ping, .toolsList, .promptsList, .promptsGet, .resourcesList, .resourcesTemplatesList, .resourcesRead,
            .resourcesSubscribe, .resourcesUnsubscribe, .completionComplete, .loggingSetLevel, .tasksGet, .tasksResult, .tasksList,
            .serverDiscover,
            .subscriptionsListen:
            true
        default: false
        }
    }

    private static func explanation(_ error: StreamableHTTPError, of request: Request) -> String {
        switch error {
        case .connectionLost, .noResponse, .timedOut:
            "\(error). The gateway may have carried out \(request.message.methodName.name) nevertheless: check before you repeat it."
        case .http(401, _), .http(403, _):
            "\(error). Check the token in MCP_GATEWAY_TOKEN, or the --header options of `mcp-gateway connect`."
        default: "\(error)"
        }
    }
}
