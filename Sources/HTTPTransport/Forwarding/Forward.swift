import GatewayCore
import NIOCore
import NIOHTTP1

/// One attempt to have a request served by another instance. Confined to the loop of its connection.
final class Forward: PeerResponseReceiver {
    let target: InstanceRecord
    /// The session that the request is of.
    let session: SessionID?
    let reason: ForwardReason
    private weak var connection: ClientConnection?
    private var peer: PeerConnection?
    private var isOver = false
    private var lastHeard = NIODeadline.now()
    /// The client has the head of the answer.
    private(set) var hasBegun = false
    /// Of an answer that is a stream: what it answers, as long as its client cannot resume it (``breakOff(_:)``).
    var unresumable: UnresumableAnswer?
    /// Where the session is, as the instance said that does not have it.
    private(set) var refusedHome: String?
    /// The instance said that it does not have the session and cannot ask the store.
    private(set) var refuserIsWithout = false

    init(target: InstanceRecord, session: SessionID?, reason: ForwardReason, connection: ClientConnection) {
        self.target = target
        self.session = session
        self.reason = reason
        self.connection = connection
    }

    func start(_ head: HTTPRequestHead, body: ByteBuffer, pool: PeerPool) {
        pool.withConnection(to: target.address) { result in
            guard !self.isOver else {
                if case .success(let peer) = result { peer.cancel() }
                return
            }
            switch result {
            case .failure(let error): self.peerFailed(wasSent: false, reason: "\(error)")
            case .success(let peer):
                self.peer = peer
                peer.send(head, body: body, to: self)
            }
        }
    }

    /// The client is gone, or the gateway has no more time.
    func cancel() {
        peer?.cancel()
        end()
    }

    /// The client's connection takes bytes again, or does not.
    func clientIsWritable(_ isWritable: Bool) {
        if isWritable { peer?.resume() } else { peer?.pause() }
    }

    /// Whether an instance that is not among the living may still answer. What belongs to a session does not wait: others may have taken the
    /// session over. Anything else is in progress there alone, and an instance may be cut off from the store, and serve. It begins an answer soon
    /// (`streams.firstEventWait`) and says something again and again (`streams.keepAlive`).
    func mayStillAnswer(_ settings: HTTPTransportSettings) -> Bool {
        let patience = hasBegun ? settings.keepAlive + settings.keepAlive : settings.firstEventWait + Self.graceOfUnlisted
        return session == nil && NIODeadline.now() - lastHeard < patience
    }

    /// Whether the instance has had the time to begin an answer, and has not. Asked only where the store cannot say whether it lives: it may be frozen.
    func isOverdue(_ settings: HTTPTransportSettings) -> Bool {
        reason != .withStore && session != nil && !hasBegun
            && NIODeadline.now() - lastHeard >= settings.firstEventWait + Self.graceOfUnlisted
    }

    /// How long one that is not heard of may take to begin an answer, beyond what a stream's beginning takes anyway.
    private static let graceOfUnlisted = TimeAmount.seconds(3)

    /// The other instance is not among the living any more.
    func targetDied() {
        guard !isOver else { return }
        peer?.cancel()
        peerFailed(wasSent: true, reason: "the instance is gone")
    }

    private func end() {
        guard !isOver else { return }
        isOver = true
        peer = nil
    }

    // MARK: What the other instance answers

    func peerResponded(_ head: HTTPResponseHead) {
        guard !isOver, let connection else { return }
        if head.status == .misdirectedRequest {
            // The body is for nobody; the connection is used again behind it.
            refusedHome = head.headers.first(name: ForwardedHead.homeField)
            refuserIsWithout = head.headers.contains(name: ForwardedHead.withoutField)
            return
        }
        hasBegun = true
        lastHeard = .now()
        connection.forwardResponded(head, of: self)
    }

    func peerSent(_ bytes: ByteBuffer) {
        guard !isOver, hasBegun else { return }
        if session == nil { lastHeard = .now() }
        if unresumable?.hasPosition(after: bytes) == true { unresumable = nil }
        connection?.forwardSent(bytes, of: self)
    }

    func peerPaused() {
        guard !isOver, hasBegun else { return }
        connection?.forwardPaused(self)
    }

    func peerEnded() {
        guard !isOver else { return }
        let connection = connection
        end()
        if hasBegun { connection?.forwardEnded(self) } else { connection?.forwardRefused(self) }
    }

    func peerFailed(wasSent: Bool, reason: String) {
        guard !isOver else { return }
        let connection = connection
        end()
        connection?.forwardFailed(self, wasSent: wasSent, reason: reason)
    }
}
