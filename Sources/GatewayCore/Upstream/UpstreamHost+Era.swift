import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What follows from a server's era.
extension UpstreamHost {
    /// Whether its server is of the modern era, as far as is known.
    var isModern: Bool { knownEra.found == .modern }

    /// Whether one process works for all sessions. A modern server's always does: every request says whose it is.
    var isShared: Bool { definition.isolation == .shared || isModern }

    /// Runs `body` when it is known whether sessions have processes of their own: at once but for the first start of a server that is
    /// configured so.
    func whenEraKnown(_ body: @escaping @Sendable () -> Void) {
        guard definition.isolation == .session, knownEra.found == nil, definition.era != .legacy else { return body() }
        let isWaiting = state.withLockedValue { state in
            guard !state.isSettled, knownEra.found == nil else { return false }
            state.eraWaiters.append(body)
            return true
        }
        if !isWaiting { body() }
    }

    func eraIsKnown() {
        let waiters = state.withLockedValue { state in
            defer { state.eraWaiters.removeAll() }
            return state.eraWaiters
        }
        waiters.forEach { $0() }
    }
}

extension Gateway {
    /// Subscribes at the server, or unsubscribes. A modern server knows no requests for that, but one subscription for all clients.
    func changeSubscription(_ exchange: Exchange, uri: String, at host: UpstreamHost) {
        host.whenEraKnown {
            guard host.isModern else { return self.forward(exchange, to: host) }
            guard !exchange.isOver else { return }
            exchange.isCounted(by: host.requestCounters)
            let asked = host.withPeer(for: exchange.session) { peer in
                guard exchange.method == .resourcesSubscribe else {
                    peer.unsubscribe(uri: uri)
                    return exchange.succeed(ByteBuffer(string: "{}"))
                }
                peer.listen(to: .resource(uri), within: host.definition.callTimeout) { isAgreed in
                    guard !isAgreed else { return exchange.succeed(ByteBuffer(string: "{}")) }
                    exchange.fail(.unknownMethod, "upstream \"\(host.name)\" does not tell of updates of \(uri)")
                }
            }
            if case .failure(let failure) = asked { exchange.fail(failure) }
        }
    }
}
