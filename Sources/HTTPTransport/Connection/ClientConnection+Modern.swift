import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// POST of the modern era (2026-07-28, basic/transports/streamable-http).
extension ClientConnection {
    /// Whether a body is of the modern era: it says so itself, or its header does.
    static func isModern(_ payload: Message.Payload, _ admitted: AdmittedRequest) -> Bool {
        let names = admitted.mirrored?.namesModernRevision ?? false
        guard case .single(let message) = payload else { return names }
        if RequestMetadata.isPresent(in: message) { return true }
        // `initialize` is legacy whatever the header says, as long as the header names a revision at all.
        return names && !(message.methodName == .initialize && admitted.mirrored?.revision != nil)
    }

    func postModern(_ payload: Message.Payload, _ admitted: AdmittedRequest) {
        func invalid(_ reason: String) {
            refuse(Refusal(status: .badRequest, error: RPCError(code: .invalidRequest, message: reason)), closing: false)
        }
        guard case .single(let message) = payload else { return invalid("the body must be one JSON-RPC message") }
        switch message.kind {
        case .response, .errorResponse:
            return invalid("a client sends no responses; input is sent with the request again (basic/patterns/mrtr)")
        case .notification:
            // None is defined for HTTP; they are taken and have no effect.
            if let fields = admitted.mirrored, let version = fields.protocolVersion, fields.revision == nil {
                return refuse(Refusal(status: .badRequest, error: RequestMetadata.unsupported(version)), closing: false)
            }
            return respond(.accepted, body: nil)
        case .request: break
        }
        let metadata: RequestMetadata
        do throws(RPCError) {
            let fields = admitted.mirrored ?? MirroredFields(protocolVersion: admitted.revision?.rawValue)
            let rules = ModernRequestRules(fields: fields, message: message)
            metadata = try rules.check { server.gateway.parameterHeaders(ofTool: $0, server: endpointServer) }
        } catch {
            return refuse(Refusal(status: .badRequest, error: error), closing: false, id: message.idBytes)
        }
        if let forwardable, request.source.isClient, let owner = server.gateway.ownerOfParked(in: message, server: endpointServer) {
            forwardable.retry = { $0.postModern(payload, admitted) }
            if !forwardable.tried.contains(owner) { return forward(to: owner, session: nil) }
            // A connection that was not made says little of one that is among the living.
            if server.gateway.isAlive(owner.identity) { return tryAgainSoon() }
        }
        guard forwardable == nil || !request.source.isClient || !server.gateway.concernsTask(message) else {
            return seekTask(message, metadata)
        }
        serveModern(message, metadata)
    }

    /// Looks for the instance that runs the task.
    private func seekTask(_ message: Message, _ metadata: RequestMetadata) {
        let number = requestNumber
        let handle = handle
        server.gateway.findOwner(ofTaskIn: message, server: endpointServer, tried: forwardable?.tried ?? TriedInstances()) { owner in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                guard let owner else { return connection.serveModern(message, metadata) }
                connection.forwardable?.retry = { $0.seekTask(message, metadata) }
                connection.forward(to: owner, session: nil)
            }
        }
    }

    private func serveModern(_ message: Message, _ metadata: RequestMetadata) {
        if message.methodName == .subscriptionsListen, !mayListen { return }
        // On its way out it begins nothing that another one can do.
        if let forwardable, request.source.isClient, let successor = server.gateway.successorForNew(tried: forwardable.tried),
            !server.gateway.isParkedHere(message, server: endpointServer)
        {
            forwardable.retry = { $0.serveModern(message, metadata) }
            return forward(to: successor, session: nil)
        }
        forwardable = nil
        if let refusal = Refusal.tooFast(metadata, server.gateway) { return refuse(refusal, closing: false, id: message.idBytes) }
        guard let context else { return }
        let isListening = message.methodName == .subscriptionsListen
        guard server.settings.enableSSE || !isListening else {
            let error = RPCError(code: .methodNotFound, message: "streams are switched off (gateway.enableSSE)")
            return refuse(Refusal(status: .notFound, error: error), closing: false, id: message.idBytes)
        }
        let responder = ModernResponder(
            isListening: isListening, connection: self, eventLoop: context.eventLoop, context: server)
        modern = responder
        let exchange = server.gateway.handleModern(
            message, metadata: metadata, server: endpointServer, context: request.context, sink: responder)
        responder.started(exchange)
    }

    /// The JSON answer.
    func respond(_ status: HTTPResponseStatus, body: ByteBuffer, of responder: ModernResponder) {
        guard modern === responder else { return }
        modern = nil
        respond(status, body: body)
    }

    /// The answer is a stream.
    func beginStream(of responder: ModernResponder, first: ByteBuffer) {
        guard modern === responder, case .answering = state else { return }
        state = .streamingModern
        beginStream(first: first)
    }

    func endModernStream(abruptly: Bool) {
        guard let context, case .streamingModern = state else { return }
        modern = nil
        state = .idle
        waitingBytes = 0
        if abruptly { context.close(promise: nil) } else { finishResponse(context) }
    }
}
