import MCPHTTPClient
import MCPProtocol
import NIOCore

/// Requests of a modern client: each a POST of its own, whose connection stands for it (2026-07-28, basic/transports).
extension BridgeSession {
    /// Calls that a server refused for their header: the list of tools is read again for them ("Client Behavior").
    struct Relearning: Sendable {
        var calls: [(request: Request, refusal: ByteBuffer)]
        /// Of the request for the list.
        var key: RequestKey
        var token: UInt64
        /// Raw members of `_meta` for it.
        let meta: ByteBuffer
        var pages = 1
    }

    /// Pages of a list that are read.
    private static let maxPages = 100

    // MARK: Cancellation

    /// The client takes a modern request back: over HTTP its connection is closed. Nil when there is none.
    mutating func cancelModern(_ key: RequestKey) -> [BridgeAction]? {
        guard let token = tokens[key], outstanding[token]?.isModern == true else { return nil }
        return [drop(token)] + finishIfDrained()
    }

    /// The client has closed its output: nobody waits for changes any more.
    mutating func stopListening() -> [BridgeAction] {
        func isListening(_ request: Request) -> Bool { request.message.methodName == .subscriptionsListen }
        for case .request(let request) in held where isListening(request) { _ = removeHeld(request.key) }
        return outstanding.filter { isListening($0.value) }.keys.sorted().map { drop($0) }
    }

    private mutating func drop(_ token: UInt64) -> BridgeAction {
        if let request = outstanding.removeValue(forKey: token) { tokens.removeValue(forKey: request.key) }
        return .cancel(token: token)
    }

    // MARK: Subscriptions

    /// Whether it says what the client was told before: the bridge itself began to listen again after the connection was lost.
    mutating func isRepeatedAcknowledgement(_ message: Message) -> Bool {
        guard message.methodName == .subscriptionsAcknowledged else { return false }
        let id = message.json.member(RequestMetadata.Key.subscriptionID, of: message.routing.meta)
        guard let key = RequestKey(id, in: message.json), let token = tokens[key] else { return false }
        defer { outstanding[token]?.isAcknowledged = true }
        return outstanding[token]?.isAcknowledged == true
    }

    // MARK: Answers

    mutating func modernAnswered(_ request: Request, _ answer: Message, line: ByteBuffer) -> [BridgeAction] {
        if answer.kind == .response {
            guard request.message.methodName == .toolsList, toolHeaders.note(answer) else { return [.write(line)] }
            // First: the client may call one at once.
            return [.setParameterHeaders(toolHeaders.byTool), .write(line)]
        }
        let code = answer.json.integer(answer.json.member("code", of: answer.error))
        guard code == RPCError.Code.headerMismatch.rawValue, request.message.methodName == .toolsCall, !request.hasRelearned else {
            return [.write(line)]
        }
        return relearn(request, refusal: line)
    }

    // MARK: Reading the list of tools again

    func isRelearning(_ key: RequestKey) -> Bool { relearning?.calls.contains { $0.request.key == key } ?? false }

    mutating func removeRelearning(_ key: RequestKey) -> Bool {
        guard isRelearning(key) else { return false }
        relearning?.calls.removeAll { $0.request.key == key }
        return true
    }

    private mutating func relearn(_ request: Request, refusal: ByteBuffer) -> [BridgeAction] {
        if relearning != nil {
            relearning?.calls.append((request, refusal))
            return []
        }
        guard let metadata = try? RequestMetadata(request.message) else { return [.write(refusal)] }
        let meta = RequestMetadata.members(
            revision: metadata.revision, clientCapabilities: metadata.clientCapabilities, clientInfo: metadata.clientInfo)
        let (key, token, list) = toolsList(meta: meta, cursor: nil)
        relearning = Relearning(calls: [(request, refusal)], key: key, token: token, meta: meta)
        return [.log("a call was refused for its header; the list of tools is read again"), list]
    }

    private mutating func toolsList(meta: ByteBuffer, cursor: ByteBuffer?) -> (RequestKey, UInt64, BridgeAction) {
        let token = nextToken()
        let id = "mcp-gateway-connect/\(token)"
        var bytes = ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":\"\(id)\",\"method\":\"tools/list\",\"params\":{\"_meta\":{")
        bytes.writeImmutableBuffer(meta)
        bytes.writeStaticString("}")
        if let cursor {
            bytes.writeStaticString(",\"cursor\":")
            bytes.writeImmutableBuffer(cursor)
        }
        bytes.writeStaticString("}}")
        return (RequestKey(string: id), token, .send(bytes, token: token))
    }

    mutating func relearned(_ answer: Message) -> [BridgeAction] {
        guard var relearning else { return [] }
        guard answer.kind == .response else { return relearningEnded(resending: false) }
        _ = toolHeaders.note(answer)
        if let cursor = answer.json.slice(answer.json.member("nextCursor", of: answer.result)), relearning.pages < Self.maxPages {
            let (key, token, list) = toolsList(meta: relearning.meta, cursor: cursor)
            relearning.key = key
            relearning.token = token
            relearning.pages += 1
            self.relearning = relearning
            return [list]
        }
        return [.setParameterHeaders(toolHeaders.byTool)] + relearningEnded(resending: true)
    }

    mutating func relearningFailed(_ error: StreamableHTTPError) -> [BridgeAction] {
        [.log("the list of tools could not be read: \(error)")] + relearningEnded(resending: false)
    }

    private mutating func relearningEnded(resending: Bool) -> [BridgeAction] {
        let calls = relearning?.calls ?? []
        relearning = nil
        var actions: [BridgeAction] = []
        for (request, refusal) in calls {
            guard resending else {
                actions.append(.write(refusal))
                continue
            }
            var request = request
            request.hasRelearned = true
            actions += phase == .open ? [send(request)] : hold(.request(request))
        }
        return actions + finishIfDrained()
    }
}
