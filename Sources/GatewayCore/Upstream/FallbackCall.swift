import MCPProtocol
import NIOCore

/// A request that no rule assigns to one upstream: asks one after another until one knows what it is about.
final class FallbackCall: UpstreamCallHandler {
    private let ownExchange: Exchange
    var exchange: Exchange? { ownExchange }
    private let remaining: [UpstreamHost]
    private let splices: [Splice]
    /// Error codes that mean "not mine".
    private let passOn: Set<Int>

    init(exchange: Exchange, remaining: [UpstreamHost], splices: [Splice], passOn: Set<Int>) {
        ownExchange = exchange
        self.remaining = remaining
        self.splices = splices
        self.passOn = passOn
    }

    /// Asks the first of `hosts`.
    static func start(_ exchange: Exchange, hosts: [UpstreamHost], splices: [Splice] = [], passOn: Set<Int>, noneLeft: ExchangeFailure) {
        guard let host = hosts.first else { return exchange.fail(noneLeft) }
        host.whenEraKnown { ask(exchange, host: host, hosts: hosts, splices: splices, passOn: passOn, noneLeft: noneLeft) }
    }

    private static func ask(
        _ exchange: Exchange, host: UpstreamHost, hosts: [UpstreamHost], splices: [Splice], passOn: Set<Int>, noneLeft: ExchangeFailure
    ) {
        guard !exchange.isOver else { return }
        let sent = host.withPeer(for: exchange.session) { peer in
            exchange.isCounted(by: host.requestCounters)
            let call = FallbackCall(exchange: exchange, remaining: Array(hosts.dropFirst()), splices: splices, passOn: passOn)
            peer.send(exchange.upstreamRequest(splices: splices, timeout: host.definition.callTimeout), handler: call)
        }
        guard case .failure(let failure) = sent else { return }
        hosts.count > 1
            ? start(exchange, hosts: Array(hosts.dropFirst()), splices: splices, passOn: passOn, noneLeft: noneLeft)
            : exchange.fail(failure)
    }

    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) { ownExchange.upstreamAccepted(call: call, by: peer) }
    func upstreamProgressed(_ notification: Message) { ownExchange.upstreamProgressed(notification) }

    func upstreamResponded(_ response: Message) {
        if response.kind == .errorResponse, !remaining.isEmpty,
            let code = response.json.integer(response.json.member("code", of: response.error)), passOn.contains(code)
        {
            goOn()
        } else {
            ownExchange.upstreamResponded(response)
        }
    }

    func upstreamFailed(_ failure: ExchangeFailure) {
        remaining.isEmpty ? ownExchange.fail(failure) : goOn()
    }

    private func goOn() {
        let none = ExchangeFailure(.unknownMethod, "Method not found")
        FallbackCall.start(ownExchange, hosts: remaining, splices: splices, passOn: passOn, noneLeft: none)
    }
}

extension Exchange {
    /// What goes to the upstream for it.
    func upstreamRequest(splices: [Splice], timeout: TimeAmount) -> UpstreamRequest {
        var sent = UpstreamRequest(message: request, splices: splices, progressToken: progressToken, timeout: timeout)
        sent.origin = session.isModern ? .modern : .legacy(session)
        sent.metaMembers = context.trace?.members(for: request)
        return sent
    }
}
