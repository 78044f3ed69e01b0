import MCPProtocol
import NIOCore

/// What a server says, made fit for a modern client.
extension Exchange {
    /// What is added to a server's response, or changed in it.
    func modernSplices(_ response: Message) -> [Splice] {
        let json = response.json
        guard response.kind == .response else {
            let code = json.member("code", of: response.error)
            guard let number = json.integer(code), let modern = EraBridge.errorCode(number, of: method, for: .modern) else { return [] }
            return [Splice(code, .bytes(ByteBuffer(string: "\(modern)")))]
        }
        let upstream = peer
        var splices = EraBridge.modernResult(
            response.result, in: json, isCacheable: EraBridge.isCacheable(method), serverInfo: upstream?.currentInfo()?.serverInfo)
        if let upstream, let splice = session.gateway.taskIDSplice(in: response, session: session, server: upstream.name) {
            splices.append(splice)
        }
        if let upstream, EraBridge.resultType(of: response.result, in: json) == .inputRequired {
            splices += sealedState(response, server: upstream.name)
        }
        return splices
    }

    /// The error that tells a modern client which capability its request needs (2026-07-28, basic, "`_meta`"); nil unless a legacy server has
    /// failed after it asked for something that the client did not declare.
    func missingCapability(_ response: Message) -> RPCError? {
        guard let capability = lackedCapability else { return nil }
        let reason = response.json.string(response.json.member("message", of: response.error)) ?? ""
        return RPCError(
            code: .missingRequiredClientCapability, message: "the request needs the client's capability \"\(capability)\": \(reason)",
            data: ByteBuffer(string: "{\"requiredCapabilities\":{\"\(capability)\":{}}}"))
    }

    /// The server's `requestState`, sealed together with whose it is and what it is good for.
    private func sealedState(_ response: Message, server: String) -> [Splice] {
        let span = response.json.member("requestState", of: response.result)
        guard let state = response.json.string(span) else { return [] }
        return [Splice(span, .string(seal(.upstream(server: server, state: state))))]
    }

    /// What the client shall bring with its retry, sealed together with the request and endpoint it belongs to and its time.
    func seal(_ state: RequestState) -> String {
        let gateway = session.gateway
        return gateway.requestStates.seal(
            state, digest: RequestState.digest(of: request), scope: session.server ?? "",
            expires: gateway.clock.now() + .nanoseconds(gateway.settings.parkedExchangeTimeout.nanoseconds))
    }

    /// The splice that gives a server its own `requestState` back.
    ///
    /// - Returns: nil when the request brings none, or one that was not this server's.
    func openedState(for server: String) -> Splice? {
        guard case .upstream(server, let own)? = carriedState else { return nil }
        return Splice(request.param("requestState"), .string(own))
    }
}

extension RPCError {
    /// The same error for a modern client: codes that the modern era does not have become ones that it has (2026-07-28, basic, "Error Codes").
    var modern: RPCError {
        switch code {
        case .resourceNotFound: RPCError(code: .invalidParams, message: message, data: data)
        case .connectionClosed, .requestTimeout: RPCError(code: .internalError, message: message, data: data)
        default: self
        }
    }
}
