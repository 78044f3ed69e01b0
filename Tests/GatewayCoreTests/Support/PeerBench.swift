import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded

@testable import GatewayCore

/// Writes down what a peer tells its owner.
final class RecordingOwner: UpstreamPeerOwner {
    private struct State {
        var ready: [UpstreamInfo] = []
        var downs: [(reason: String, willRestart: Bool)] = []
        var requests: [Message] = []
        var notifications: [Message] = []
        var missed: [[MCPProtocol.Method]] = []
    }

    private let state = NIOLockedValueBox(State())

    var ready: [UpstreamInfo] { state.withLockedValue { $0.ready } }
    var downs: [(reason: String, willRestart: Bool)] { state.withLockedValue { $0.downs } }
    var requests: [Message] { state.withLockedValue { $0.requests } }
    var notifications: [Message] { state.withLockedValue { $0.notifications } }

    /// What may have been missed, each time.
    var missed: [[MCPProtocol.Method]] { state.withLockedValue { $0.missed } }

    func peer(_ peer: UpstreamPeer, mayHaveMissed methods: [MCPProtocol.Method]) { state.withLockedValue { $0.missed.append(methods) } }
    func peerBecameReady(_ peer: UpstreamPeer, info: UpstreamInfo) { state.withLockedValue { $0.ready.append(info) } }
    func peerWentDown(_ peer: UpstreamPeer, reason: String, willRestart: Bool) {
        state.withLockedValue { $0.downs.append((reason, willRestart)) }
    }
    func peer(_ peer: UpstreamPeer, receivedRequest request: Message) { state.withLockedValue { $0.requests.append(request) } }
    func peer(_ peer: UpstreamPeer, receivedNotification notification: Message) {
        state.withLockedValue { $0.notifications.append(notification) }
    }
}

/// Writes down what becomes of a request.
final class RecordingCall: UpstreamCallHandler {
    private struct State {
        var call: UInt64?
        var progress: [Message] = []
        var responses: [Message] = []
        var failures: [ExchangeFailure] = []
    }

    private let state = NIOLockedValueBox(State())

    var call: UInt64? { state.withLockedValue { $0.call } }
    var progress: [Message] { state.withLockedValue { $0.progress } }
    var responses: [Message] { state.withLockedValue { $0.responses } }
    var failures: [RPCError] { state.withLockedValue { $0.failures.map(\.error) } }
    var causes: [ExchangeFailure.Cause] { state.withLockedValue { $0.failures.map(\.cause) } }
    var isOver: Bool { !responses.isEmpty || !failures.isEmpty }

    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) { state.withLockedValue { $0.call = call } }
    func upstreamProgressed(_ notification: Message) { state.withLockedValue { $0.progress.append(notification) } }
    func upstreamResponded(_ response: Message) { state.withLockedValue { $0.responses.append(response) } }
    func upstreamFailed(_ failure: ExchangeFailure) { state.withLockedValue { $0.failures.append(failure) } }
}

/// A peer on a loop whose time the test moves.
///
/// The peer reads deadlines from the real clock; the loop starts at the real time so that timers and deadlines agree.
final class PeerBench {
    let loop = EmbeddedEventLoop()
    let factory = ScriptedFactory()
    let owner = RecordingOwner()
    let peer: UpstreamPeer

    init(
        maxInFlight: Int = 100, restartsByItself: Bool = false, handshakeTimeout: TimeAmount = .seconds(30),
        era: EraPolicy = .legacy,
        backoff: RestartBackoff.Policy = .init(initialDelay: .milliseconds(100), maximumDelay: .seconds(1), maximumRestarts: 3)
    ) {
        loop.advanceTime(to: .now())
        let settings = UpstreamPeerSettings(
            initializeParams: ByteBuffer(
                string: #"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#),
            handshakeTimeout: handshakeTimeout, maxInFlight: maxInFlight, restartsByItself: restartsByItself, era: era)
        peer = UpstreamPeer(
            name: "srv", settings: settings, factory: factory, eventLoop: loop, backoff: RestartBackoff(policy: backoff),
            logger: silentLogger, owner: owner)
    }

    deinit {
        // Whatever a test left open is ended: the loop checks that no promise is forgotten.
        factory.release()
        _ = peer.stop()
        for link in factory.links { link.closed(LinkClosure(description: "the test is over", isOrderly: true)) }
        try? loop.syncShutdownGracefully()
    }

    var link: ScriptedLink { factory.links[factory.links.count - 1] }

    /// Starts the peer and shakes hands.
    func makeReady() {
        peer.start()
        link.shakeHands()
    }

    func request(_ raw: String, timeout: TimeAmount = .hours(1)) throws -> RecordingCall {
        let handler = RecordingCall()
        let message = try Message.parse(ByteBuffer(string: raw))
        let token = message.json.member("progressToken", of: message.param("_meta"))
        peer.send(UpstreamRequest(message: message, splices: [], progressToken: token, timeout: timeout), handler: handler)
        return handler
    }

    func call(_ id: String = "1", token: String? = nil, timeout: TimeAmount = .hours(1)) throws -> RecordingCall {
        let meta = token.map { ",\"_meta\":{\"progressToken\":\($0)}" } ?? ""
        return try request(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"tools/call\",\"params\":{\"name\":\"t\"\(meta)}}", timeout: timeout)
    }

    /// What a future holds once the loop has run; nil when it is not fulfilled then.
    func outcome<Value: Sendable>(_ future: EventLoopFuture<Value>) -> Result<Value, any Error>? {
        let outcome = NIOLockedValueBox<Result<Value, any Error>?>(nil)
        future.whenComplete { result in outcome.withLockedValue { $0 = result } }
        loop.run()
        return outcome.withLockedValue { $0 }
    }

    var stopsWhenIdle: Bool { (try? outcome(peer.stopIfIdle(for: .zero))?.get()) ?? false }

    /// Stops the peer; whether that is done.
    func stop() -> Bool { outcome(peer.stop()) != nil }

    var isIdle: Bool { if case .idle = peer.core.value.phase { true } else { false } }
    var isReady: Bool { if case .ready = peer.core.value.phase { true } else { false } }
    var isWaiting: Bool { if case .waiting = peer.core.value.phase { true } else { false } }
    var isGivenUp: Bool { if case .givenUp = peer.core.value.phase { true } else { false } }
    var isStopped: Bool { if case .stopped = peer.core.value.phase { true } else { false } }
}
