import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// What the header alone decides: whose request it is, and whether it is let in.
extension ClientConnection {
    /// A body of at least this size is not read for a session that cannot exist.
    private static let largeBody = 64 << 10

    func received(_ received: HTTPRequestHead, context: ChannelHandlerContext) {
        requestNumber += 1
        forwardable = nil
        var received = received
        let head = RequestHead(received)
        isKeepAlive = head.isKeepAlive && !head.offersUpgrade && !server.gateway.isDraining
        version = received.version
        let target = RequestTarget(received.uri)
        let route = target.map { HTTPRoute(path: $0.path, settings: server.settings, hasMetrics: server.hasMetrics) }
        begin(head, route: route ?? .unknown)
        if head.hasBody || head.expectsContinue {
            deadline.start(.body, now: request.startedAt, settings: server.settings)
        } else {
            deadline.stop()
        }
        do throws(Refusal) {
            guard let target, let route, !head.hasOddCoding else { return refuse(.badTarget, closing: true) }
            guard let revision = try admit(head, received, route: route, target: target) else { return }
            // Kept only where another instance may serve it: a stream would hold it for as long as it is open.
            if server.gateway.forwarding != nil, route.mayBeForwarded {
                forwardable = ForwardableRequest(head: received)
            }
            if route.isHot || forwardable != nil {
                let isFeed = route == .events
                state = .reading(
                    AdmittedRequest(
                        sessionID: isFeed ? head.apiSessionID : head.sessionID,
                        lastEventID: isFeed ? try Self.position(head, target) : head.lastEventID,
                        ticket: isFeed ? target.parameter("ticket") : nil, revision: revision.value, mirrored: MirroredFields(head)))
                return sendContinue(head, context: context)
            }
            // The router knows the origin form only.
            if target.authority != nil { received.uri = target.originForm }
            try pass(received, context: context)
            sendContinue(head, context: context)
        } catch {
            // A small body is read to its end, so that the connection stays usable; a big one is not worth it.
            if (head.contentLength ?? 0) > Self.droppedBodyLimit || head.expectsContinue
                || error.status == .serviceUnavailable && head.hasBody
            {
                refuse(error, closing: true)
            } else {
                state = .refusing(error)
            }
        }
    }

    /// The revision that the header of an MCP request names.
    struct NamedRevision {
        let value: Revision?
    }

    /// Nil when the request is a preflight, which needs no more.
    private func admit(
        _ head: RequestHead, _ received: HTTPRequestHead, route: HTTPRoute, target: RequestTarget
    ) throws(Refusal) -> NamedRevision? {
        // Operators are answered in an overload too: a supervisor would end a gateway that is only busy.
        if !route.isForOperators {
            guard !server.gateway.isDisplaced else { throw .displaced }
            guard server.load.beginRequest() else {
                LimitHits.count(.maxConcurrentRequests)
                throw .overloaded(limit: server.settings.maxConcurrentRequests)
            }
            request.holdsPlace = true
        }
        if let field = head.forward, server.gateway.forwarding != nil, route.mayBeForwarded, head.method != .OPTIONS {
            // What an instance passes on it has checked, and it decides what a web page may read.
            try admitForward(field, received)
        } else {
            try server.rules.checkSource(head, authority: target.authority, isProbe: route.isProbe)
            if let origin = head.origin { request.rare { $0.origin = origin } }
        }
        if head.method == .OPTIONS, route != .unknown {
            state = .preflight(methods: methods(of: route), requested: head.requestedFields)
            return nil
        }
        guard route != .unknown else { throw .notFound }
        guard route.allows(head.method) else { throw .methodNotAllowed(route.methods ?? "") }
        if head.hasBody, let encoding = head.contentEncoding, encoding.lowercased() != "identity" {
            throw .unsupportedEncoding
        }
        guard let length = head.contentLength, length > server.settings.maxBodyBytes else {
            return try admitContent(head, route: route, target: target)
        }
        throw .tooLarge(server.settings)
    }

    private func admitContent(_ head: RequestHead, route: HTTPRoute, target: RequestTarget) throws(Refusal) -> NamedRevision {
        switch route {
        case .mcp: break
        case .sse(let endpoint):
            try server.rules.checkEvents(head)
            try checkServer(of: endpoint)
            return NamedRevision(value: nil)
        case .messages(let endpoint):
            try checkMessages(head, endpoint: endpoint, target: target)
            return NamedRevision(value: nil)
        case .events:
            try server.rules.checkEvents(head)
            return NamedRevision(value: nil)
        case .api, .health, .ready, .metrics, .unknown: return NamedRevision(value: nil)
        }
        let revision = try server.rules.check(head)
        if let endpoint = route.endpoint { try checkServer(of: endpoint) }
        if head.isChunked || (head.contentLength ?? 0) >= Self.largeBody, !head.namesModernRevision, let text = head.sessionID {
            guard let id = SessionID(text), server.gateway.mayExist(id) else { throw noSession }
        }
        return NamedRevision(value: revision)
    }

    private func checkServer(of endpoint: MCPEndpoint) throws(Refusal) {
        guard let name = endpoint.server, !server.gateway.hasServer(name) else { return }
        throw Refusal(status: .notFound, error: RPCError(code: .invalidRequest, message: "There is no server \"\(name.prefix(64))\" here"))
    }

    /// RFC 9110, section 10.1.1.
    private func sendContinue(_ head: RequestHead, context: ChannelHandlerContext) {
        guard head.expectsContinue, version != .http1_0 else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
    }

    private func methods(of route: HTTPRoute) -> String {
        switch route {
        case .mcp: server.settings.enableSSE ? "GET, POST, DELETE, OPTIONS" : "POST, DELETE, OPTIONS"
        default: (route.methods ?? "GET") + ", OPTIONS"
        }
    }

    func pass(_ head: HTTPRequestHead, context: ChannelHandlerContext) throws(Refusal) {
        do {
            if !hasFallback {
                try installFallback(context.channel)
                hasFallback = true
            }
        } catch {
            throw Refusal(status: .internalServerError, error: RPCError(code: .internalError, message: "the router is not available"))
        }
        state = .passing
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}
