import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// `GET /sse/events`: a connection to the feed of a session.
extension ClientConnection {
    func openFeed(_ admitted: AdmittedRequest) {
        guard mayListen else { return }
        if let ticket = admitted.ticket { return openFeed(ticket: ticket, lastEventID: admitted.lastEventID) }
        guard let text = admitted.sessionID else {
            return refuse(unauthorized("session_required", "X-Session-ID is missing, or a ticket in the query"), closing: false)
        }
        guard let id = SessionID(text) else { return refuse(invalidSession, closing: false) }
        openFeed(of: id, lastEventID: admitted.lastEventID)
    }

    /// What the client saw last: in the header, or in the query for an `EventSource`, which cannot send a header with its first request.
    static func position(_ head: RequestHead, _ target: RequestTarget) throws(Refusal) -> String? {
        let inQuery = target.query.isEmpty ? nil : target.parameter("lastEventId").flatMap { $0.isEmpty ? nil : $0 }
        guard let inHeader = head.lastEventID, !inHeader.isEmpty else { return inQuery }
        guard inQuery == nil || inQuery == inHeader else {
            throw Refusal(
                status: .badRequest, code: "invalid_request",
                error: RPCError(
                    code: .invalidRequest,
                    message: "Last-Event-ID and the query parameter \"lastEventId\" name different events; send one of them"))
        }
        return inHeader
    }

    /// A ticket is used up where the session is at home, and nowhere else.
    private func openFeed(ticket: String, lastEventID: String?) {
        guard let id = server.gateway.session(ofTicket: ticket) else { return refuse(invalidTicket, closing: false) }
        find(id) { connection, result in
            guard connection.server.gateway.redeem(ticket: ticket) == id else {
                return connection.refuse(connection.invalidTicket, closing: false)
            }
            connection.openFeed(result, lastEventID: lastEventID)
        }
    }

    private func openFeed(of id: SessionID, lastEventID: String?) {
        find(id) { connection, result in connection.openFeed(result, lastEventID: lastEventID) }
    }

    private func openFeed(_ found: Result<Session?, StoreError>, lastEventID: String?) {
        switch found {
        case .success(let session?):
            request.session = session.id
            isLeaving ? misdirect(home: nil) : openFeed(of: session, lastEventID: lastEventID)
        case .success(nil): refuse(invalidSession, closing: false)
        case .failure(let error): refuse(.unavailable(error), closing: false)
        }
    }

    private func openFeed(of session: Session, lastEventID: String?) {
        guard let text = lastEventID else { return connectFeed(of: session) }
        guard let position = EventID(text) else { return refuse(badPosition(text), closing: false) }
        let number = requestNumber
        let handle = handle
        session.findStream(position.stream) { result in
            handle.onLoop { connection in
                guard connection.requestNumber == number else { return }
                guard case .success(let feed?) = result, feed.kind == .feed else {
                    // Too old to resume: the client goes on with what happens from now on.
                    return connection.connectFeed(of: session)
                }
                guard position.sequence <= feed.newestSequence else { return connection.refuse(.beyondNewest(position), closing: false) }
                guard let writer = connection.attachFeed(feed, session: session, startsAfter: position.sequence) else { return }
                guard writer.begin() else { return }
                feed.attach(writer, after: position.sequence)
                session.listeningStreamAttached()
            }
        }
    }

    /// A connection that begins with what happens from now on.
    private func connectFeed(of session: Session) {
        let number = requestNumber
        let handle = handle
        let opened = session.openFeed { result in
            let isLogged = (try? result.get()) != nil
            handle.onNextTick { connection in
                guard connection.requestNumber == number, case .streaming(let writer) = connection.state else { return }
                guard writer.begin(isLogged: isLogged) else { return }
                writer.stream.attach(writer, after: writer.startsAfter)
                session.listeningStreamAttached()
            }
        }
        guard let opened else { return refuse(invalidSession, closing: false) }
        _ = attachFeed(opened, session: session, startsAfter: opened.newestSequence)
    }

    /// Takes one of the connections that the feed may have; when there are as many, answers so.
    private func attachFeed(_ feed: EventStream, session: Session, startsAfter: UInt64) -> SSEWriter? {
        guard let context else { return nil }
        let writer = SSEWriter(
            stream: feed, startsAfter: startsAfter, style: .feed(session.id), connection: self, eventLoop: context.eventLoop,
            context: server)
        guard feed.takePlace(for: writer, limit: server.gateway.settings.maxListeningStreams) else {
            refuse(.tooManyStreams("the session has too many connections to its feed"), closing: false)
            return nil
        }
        state = .streaming(writer)
        return writer
    }

    private func unauthorized(_ code: String, _ message: String) -> Refusal {
        Refusal(status: .unauthorized, code: code, error: RPCError(code: .invalidRequest, message: message))
    }

    private var invalidTicket: Refusal {
        unauthorized("invalid_ticket", "the ticket has expired, was used before or is not of this gateway; get a new one")
    }

    private var invalidSession: Refusal {
        unauthorized("invalid_session", "the session does not exist, has ended or has expired; create a new one")
    }

    private func badPosition(_ text: String) -> Refusal {
        Refusal(
            status: .badRequest, code: "invalid_request",
            error: RPCError(code: .invalidRequest, message: "Last-Event-ID \"\(text.prefix(64))\" is not of this gateway"))
    }
}
