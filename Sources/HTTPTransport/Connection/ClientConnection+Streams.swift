import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// GET opens or resumes a stream, DELETE ends the session.
extension ClientConnection {
    func listen(_ admitted: AdmittedRequest) {
        guard mayListen else { return }
        withSession(admitted) { connection, session in
            guard let text = admitted.lastEventID else {
                return connection.isLeaving ? connection.misdirect(home: nil) : connection.openListeningStream(of: session)
            }
            guard let id = EventID(text) else {
                return connection.refuse(
                    Refusal(
                        status: .badRequest,
                        error: RPCError(code: .invalidRequest, message: "Last-Event-ID \"\(text.prefix(64))\" is not of this gateway")),
                    closing: false)
            }
            connection.resume(id, session: session)
        }
    }

    func openListeningStream(of session: Session) {
        let number = requestNumber
        let handle = handle
        let opened: @Sendable (Result<Void, StoreError>) -> Void = { result in
            let isLogged = (try? result.get()) != nil
            handle.onNextTick { connection in
                guard connection.requestNumber == number, case .streaming(let writer) = connection.state else { return }
                guard writer.begin(isLogged: isLogged) else { return }
                writer.stream.attach(writer, after: writer.startsAfter)
                session.listeningStreamAttached()
            }
        }
        guard let context, let (stream, after) = session.openListeningStream(opened: opened) else {
            return refuse(.tooManyStreams("the session has too many open streams"), closing: false)
        }
        let writer = SSEWriter(
            stream: stream, startsAfter: after, style: .mcp(session.revision, isResumed: false), connection: self,
            eventLoop: context.eventLoop, context: server)
        // At once: until it is attached, others would take the stream for one that nobody is connected to.
        _ = stream.takePlace(for: writer)
        state = .streaming(writer)
    }

    /// Goes on with a stream after the event that the client saw last (basic/transports, "Resumability and Redelivery").
    func resume(_ id: EventID, session: Session) {
        let number = requestNumber
        let handle = handle
        session.findStream(id.stream) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number, let context = connection.context else { return }
                guard case .success(let stream?) = result, stream.kind != .feed else {
                    return connection.refuse(
                        // Not 404: a client would take its session for lost (2025-11-25, basic/transports, "Session Management").
                        Refusal(
                            status: .badRequest,
                            error: RPCError(code: .invalidRequest, message: "The stream of Last-Event-ID is unknown or too old to resume")),
                        closing: false)
                }
                // What only listens goes where the session will be.
                guard stream.kind == .exchange || !connection.isLeaving else { return connection.misdirect(home: nil) }
                guard id.sequence <= stream.newestSequence else {
                    return connection.refuse(.beyondNewest(id), closing: false)
                }
                guard stream.kind != .listening || session.mayListen(to: stream) else {
                    return connection.refuse(.tooManyStreams("the session has too many open streams"), closing: false)
                }
                let writer = SSEWriter(
                    stream: stream, startsAfter: id.sequence, style: .mcp(session.revision, isResumed: true), connection: connection,
                    eventLoop: context.eventLoop,
                    context: connection.server)
                connection.state = .streaming(writer)
                guard writer.begin() else { return }
                stream.attach(writer, after: id.sequence)
                if stream.kind == .listening { session.listeningStreamAttached() }
            }
        }
    }

    func delete(_ admitted: AdmittedRequest) {
        withSession(admitted) { connection, session in
            let number = connection.requestNumber
            let handle = connection.handle
            connection.server.gateway.endSession(session) { result in
                handle.onLoop { connection in
                    guard connection.requestNumber == number else { return }
                    switch result {
                    case .success: connection.respond(.noContent, body: nil)
                    case .failure(let error):
                        let refusal = Refusal.unavailable(error)
                        connection.respond(refusal.status, body: refusal.error.response(id: nil), headers: refusal.headers)
                    }
                }
            }
        }
    }
}
