import GatewayCore
import NIOCore
import NIOHTTP1

/// The REST API among several instances: its requests are read to their end before it is known where they are served.
extension ClientConnection {
    func serve(_ route: HTTPRoute.APIRoute) {
        switch route {
        case .createSession: createAPISession()
        case .validateSession, .session, .ticket, .tools, .call:
            guard let id = request.session else { return passOn() }
            // The router says what is wrong when there is none.
            find(id, keepsRequest: true) { connection, _ in connection.passOn() }
        case .sessions, .openAPI: passOn()
        }
    }

    private func createAPISession() {
        guard let forwardable, request.source.isClient, let successor = server.gateway.successorForNew(tried: forwardable.tried) else {
            return passOn()
        }
        forwardable.retry = { $0.createAPISession() }
        forward(to: successor, session: nil)
    }

    /// Gives the whole request to the router.
    private func passOn() {
        guard let context, let forwardable else { return }
        self.forwardable = nil
        var head = forwardable.head
        // The router knows the origin form only.
        if let target = RequestTarget(head.uri), target.authority != nil { head.uri = target.originForm }
        do throws(Refusal) {
            try pass(head, context: context)
        } catch {
            return refuse(error, closing: true)
        }
        if forwardable.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(forwardable.body))) }
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        // The router takes what was read at the end of a read, and this may be long after one.
        context.fireChannelReadComplete()
    }
}
