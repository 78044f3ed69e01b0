import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore

/// What the REST API needs besides exchanges.
extension Gateway {
    /// Makes a session for a client that knows no `initialize`; `completion` runs when it is durable. It is one like any other: its id works
    /// on the MCP endpoint too.
    ///
    /// - Parameters:
    ///   - clientID: who the client says it is.
    ///   - metadata: a raw JSON object, kept with the session.
    public func createSession(
        clientID: String, metadata: ByteBuffer, completion: @escaping @Sendable (Result<Session, SessionCreationError>) -> Void
    ) {
        let now = clock.now()
        let record = SessionRecord(
            id: authority.make(), clientID: clientID, revision: .latestLegacy, server: nil,
            initializeParams: initializeParams(named: clientID),
            createdAt: now,
            lastSeen: now, attributes: [.metadata: metadata])
        create(record, completion: completion)
    }

    /// Raw params of the `initialize` that a client would have sent of which no more than a name is known.
    func initializeParams(named name: String) -> ByteBuffer {
        var params = ByteBuffer(
            string: "{\"protocolVersion\":\"\(Revision.latestLegacy.rawValue)\",\"capabilities\":{},\"clientInfo\":{\"name\":")
        params.writeJSONString(name)
        params.writeStaticString(",\"version\":\"unknown\"}}")
        return params
    }

    /// Live sessions of a client, oldest first.
    ///
    /// - Parameters:
    ///   - position: where the page before ended; nil for the first.
    ///   - limit: most sessions, 1 or more; nil and what exceeds it is ``CoreSettings/pageSize``.
    public func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int?,
        completion: @escaping @Sendable (Result<SessionPage, StoreError>) -> Void
    ) {
        // What is in memory is newer than the store.
        flushTouches()
        sessions.sessions(
            ofClient: clientID, after: position, limit: min(limit ?? settings.pageSize, settings.pageSize),
            aliveSince: clock.now() - settings.sessionTTL, completion: completion)
    }

    /// A `tools/list` result with every tool that the session may call, raw, once the upstreams have been tried.
    public func allTools(for session: Session, completion: @escaping @Sendable (ByteBuffer) -> Void) {
        whenSettled(server: session.server) {
            self.whenFresh(.tools, server: session.server) {
                self.ownCounters.count(.toolsList, .ok)
                completion(self.view(for: session).everything(.tools))
            }
        }
    }

    /// Gives out a ticket for the session's feed.
    ///
    /// - Throws: when it cannot be sealed, which no input can bring about.
    public func makeTicket(for session: Session, lifetime: Duration) throws -> (ticket: String, expiresAt: WallTime) {
        let expiresAt = clock.now() + lifetime
        return (try tickets.make(for: session.id, expiresAt: expiresAt), expiresAt)
    }

    /// The session that a ticket was given out for, without using it up: its home redeems it. Nil when it is forged or expired.
    public func session(ofTicket ticket: String) -> SessionID? { tickets.session(of: ticket, now: clock.now()) }

    /// The session that a ticket was given out for; nil when it is forged, expired or was used before. It is used up now.
    public func redeem(ticket: String) -> SessionID? { tickets.redeem(ticket, now: clock.now()) }
}
