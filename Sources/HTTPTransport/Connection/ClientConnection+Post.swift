import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// POST: messages of the client.
extension ClientConnection {
    func post(_ admitted: AdmittedRequest) {
        do throws(MessageError) {
            let payload: Message.Payload
            // One message is the rule; only an array takes the way through the batch parser.
            let message = body
            body = ByteBuffer()
            payload = try Message.parsePayload(message, maxDepth: server.settings.maxNestingDepth)
            if Self.isModern(payload, admitted) { return postModern(payload, admitted) }
            if case .single(let message) = payload, message.kind == .request, message.methodName == .initialize {
                return begin(message, admitted)
            }
            withSession(admitted) { connection, session in
                connection.dispatch(payload, session: session, revision: admitted.revision)
            }
        } catch {
            refuse(Refusal(error, server.settings), closing: false, id: error.id)
        }
    }

    /// `initialize` that names a session: of one that lives it is a mistake, of one that is gone the client's right.
    private func begin(_ message: Message, _ admitted: AdmittedRequest) {
        guard let id = admitted.sessionID.flatMap({ SessionID($0) }) else { return initialize(message) }
        find(id) { connection, result in
            guard case .success(_?) = result else { return connection.initialize(message) }
            let error = RPCError(
                code: .invalidRequest,
                message: "the session is initialized already; send initialize without Mcp-Session-Id for a new one")
            connection.refuse(Refusal(status: .badRequest, error: error), closing: false, id: message.idBytes)
        }
    }

    func initialize(_ message: Message) {
        if let forwardable, request.source.isClient, let successor = server.gateway.successorForNew(tried: forwardable.tried) {
            forwardable.retry = { $0.initialize(message) }
            return forward(to: successor, session: nil)
        }
        let number = requestNumber
        let handle = handle
        server.gateway.createSession(message, server: endpointServer) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                switch result {
                case .success(let (session, response)):
                    connection.respond(.ok, body: response, headers: [("mcp-session-id", session.id.description)])
                case .failure(let error): connection.refuse(Refusal(error), closing: false, id: message.idBytes)
                }
            }
        }
    }

    /// The one server that the request's endpoint is confined to.
    var endpointServer: String? {
        request.route.endpoint?.server
    }

    /// Finds the session that the request names; answers itself when there is none.
    func withSession(_ admitted: AdmittedRequest, _ body: @escaping @Sendable (ClientConnection, Session) -> Void) {
        guard let text = admitted.sessionID else {
            return refuse(
                Refusal(
                    status: .badRequest,
                    error: RPCError(code: .invalidRequest, message: "Mcp-Session-Id is missing; send initialize first")), closing: false)
        }
        guard let id = SessionID(text) else { return refuse(noSession, closing: false) }
        find(id, revision: admitted.revision) { connection, result in
            switch result {
            case .success(let session?) where session.server == connection.endpointServer:
                connection.request.session = session.id
                body(connection, session)
            case .success: connection.refuse(connection.noSession, closing: false)
            case .failure(let error): connection.refuse(.unavailable(error), closing: false)
            }
        }
    }

    var noSession: Refusal {
        Refusal(
            status: .notFound,
            error: RPCError(code: .connectionClosed, message: "Session not found; it has ended or expired. Send initialize for a new one."))
    }

    func dispatch(_ payload: Message.Payload, session: Session, revision: Revision?) {
        guard let context else { return }
        switch payload {
        case .single(let message):
            guard message.kind == .request else {
                server.gateway.accept(message, in: session)
                return respond(.accepted, body: nil)
            }
            if let refusal = Refusal.busy(session, server.gateway) ?? .tooFast(session, server.gateway) {
                return refuse(refusal, closing: false, id: message.idBytes)
            }
            let responder = PostResponder(
                session: session, requests: [message], isBatch: false, connection: self, eventLoop: context.eventLoop, context: server)
            self.responder = responder
            server.gateway.handle(message, in: session, context: request.context, sink: responder)
            responder.startWaiting()
        case .batch(let elements):
            dispatchBatch(elements, session: session, revision: revision, eventLoop: context.eventLoop)
        }
    }

    /// JSON-RPC batches (2025-03-26, basic/transports, "Sending Messages to the Server").
    func dispatchBatch(
        _ elements: [Result<Message, MessageError>], session: Session, revision: Revision?, eventLoop: any EventLoop
    ) {
        let messages: [Message]
        do throws(RefusedMessages) {
            let revision = max(revision ?? session.revision, session.revision)
            messages = try MessageBatch.messages(elements, revision: revision, settings: server.settings)
        } catch {
            return refuse(error.refusal, closing: false, id: error.id)
        }
        let requests = messages.filter { $0.kind == .request }
        if let refusal = Refusal.tooFast(session, server.gateway, count: requests.count) { return refuse(refusal, closing: false) }
        for message in messages where message.kind != .request { server.gateway.accept(message, in: session) }
        guard !requests.isEmpty else { return respond(.accepted, body: nil) }
        let responder = PostResponder(
            session: session, requests: requests, isBatch: true, connection: self, eventLoop: eventLoop, context: server)
        self.responder = responder
        let context = request.context
        for request in requests { server.gateway.handle(request, in: session, context: context, sink: responder) }
        responder.startWaiting()
    }
}
