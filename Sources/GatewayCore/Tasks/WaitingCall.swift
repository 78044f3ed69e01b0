import MCPProtocol
import NIOCore

/// A call that only runs as a task, of a client that knows no tasks: the gateway waits for the task and answers the call with what it comes to.
final class WaitingCall: UpstreamCallHandler {
    private let ownExchange: Exchange
    private let host: UpstreamHost
    private let peer: UpstreamPeer
    var exchange: Exchange? { ownExchange }

    init(exchange: Exchange, host: UpstreamHost, peer: UpstreamPeer) {
        ownExchange = exchange
        self.host = host
        self.peer = peer
    }

    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) { ownExchange.upstreamAccepted(call: call, by: peer) }
    func upstreamProgressed(_ notification: Message) { ownExchange.upstreamProgressed(notification) }
    func upstreamFailed(_ failure: ExchangeFailure) { ownExchange.fail(failure) }

    func upstreamResponded(_ response: Message) {
        let json = response.json
        if host.isModern {
            guard EraBridge.resultType(of: response.result, in: json) == .other("task"),
                let state = TaskState(response.result, in: json, era: .modern)
            else { return ownExchange.upstreamResponded(response) }
            return TaskWaiter(exchange: ownExchange, owner: owner(state.id), isOfCall: true).start()
        }
        guard let state = TaskState(json.member("task", of: response.result), in: json, era: .legacy) else {
            return ownExchange.upstreamResponded(response)
        }
        // `tasks/result` waits by itself, and what the server asks meanwhile is asked for the call.
        let owner = owner(state.id)
        guard ownExchange.observe(onFailure: { owner.abandon() }) else { return owner.abandon() }
        var params = ByteBuffer(string: "{\"taskId\":")
        params.writeJSONString(state.id)
        params.writeStaticString("}")
        guard
            let message = try? Message.parse(
                MessageWriter.request(id: 0, method: MCPProtocol.Method.tasksResult.name, params: params))
        else { return ownExchange.fail(.internalError, "the result of the task could not be asked for") }
        let request = UpstreamRequest(message: message, splices: [], progressToken: .absent, timeout: host.definition.callTimeout)
        peer.send(request, handler: ownExchange)
    }

    private func owner(_ id: String) -> TaskOwner { TaskOwner(host: host, session: ownExchange.session, id: id) }
}

extension UpstreamPeer {
    /// A modern server that needs a task for a legacy client's call (SEP-2663, "Capability Negotiation") gets the call again, with the extension
    /// declared: the gateway waits for the task. False when the response is about something else. On the event loop.
    func asksForTask(_ response: Message, _ call: UpstreamPeerCore.Call) -> Bool {
        guard response.kind == .errorResponse, var request = call.request, !request.declaresTasks, case .legacy = request.origin,
            TasksExtension.isRequired(by: response.error, in: response.json), let exchange = call.handler.exchange,
            let host = exchange.session.gateway.host(named: name), host.hasTasks
        else { return false }
        request.declaresTasks = true
        send(request, handler: WaitingCall(exchange: exchange, host: host, peer: self))
        return true
    }
}
