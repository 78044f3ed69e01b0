import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// The two endpoints of HTTP+SSE (2024-11-05, basic/transports, "HTTP with SSE").
extension ClientConnection {
    /// `GET /sse`
    func openHTTPSSE() {
        guard let context else { return }
        guard mayListen else { return }
        let stream = HTTPSSEStream(
            id: server.gateway.makeSessionID(), server: endpointServer, connection: self, eventLoop: context.eventLoop, context: server)
        request.session = stream.id
        state = .serving(stream)
        stream.begin()
    }

    /// `POST /messages`
    func postToHTTPSSE() {
        if let id = request.session, !server.streams.has(id, server: endpointServer), request.source.isClient, let forwardable,
            let home = RequestTarget(forwardable.head.uri).flatMap(instanceName)
        {
            if let peer = server.gateway.peer(named: home) {
                forwardable.retry = { $0.refuse(.noStream, closing: false) }
                return forward(to: peer, session: nil)
            }
            // It may have started just now.
            guard forwardable.hasWaitedForOwner else {
                forwardable.hasWaitedForOwner = true
                forwardable.retry = { $0.postToHTTPSSE() }
                return tryAgain(in: server.settings.ownerWait)
            }
        }
        let message = body
        body = ByteBuffer()
        let payload: Message.Payload
        do throws(MessageError) {
            payload = try Message.parsePayload(message, maxDepth: server.settings.maxNestingDepth)
        } catch {
            return refuse(Refusal(error, server.settings), closing: false, id: error.id)
        }
        guard let id = request.session else { return refuse(.noStream, closing: false) }
        let posted = PostedMessages(payload: payload, context: request.context, place: takePlace())
        let number = requestNumber
        let handle = handle
        server.streams.post(posted, to: id, server: endpointServer) { refused in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                if let refused { return connection.refuse(refused.refusal, closing: false, id: refused.id) }
                connection.respond(.accepted, body: ByteBuffer(string: "Accepted"), type: "text/plain")
            }
        }
    }

    /// The session that a POST names, before its body is read: one that has no stream can have no messages.
    func checkMessages(_ head: RequestHead, endpoint: MCPEndpoint, target: RequestTarget) throws(Refusal) {
        try server.rules.checkMessages(head)
        guard let text = target.parameter(HTTPSSEStream.sessionParameter), !text.isEmpty else {
            throw Refusal(
                status: .badRequest,
                error: RPCError(
                    code: .invalidRequest,
                    message: "the query parameter \"\(HTTPSSEStream.sessionParameter)\" is missing; use the endpoint that the stream names")
            )
        }
        guard let id = SessionID(text) else { throw .noStream }
        if !server.streams.has(id, server: endpoint.server) {
            guard instanceName(in: target) != nil, server.gateway.mayExist(id) else { throw .noStream }
        }
        request.session = id
    }

    /// The other instance that has the stream, as the endpoint names it; nil where there are no others.
    private func instanceName(in target: RequestTarget) -> String? {
        guard let own = server.gateway.instanceName, let name = target.parameter(HTTPSSEStream.instanceParameter), name != own else {
            return nil
        }
        return name
    }

    private func takePlace() -> RequestPlace {
        defer { request.holdsPlace = false }
        return RequestPlace(server.load, isHeld: request.holdsPlace)
    }
}
