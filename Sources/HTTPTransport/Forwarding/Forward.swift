import GatewayCore
import NIOCore
import NIOHTTP1

/// One attempt to have a request served by another instance. Confined to the loop of its connection.
final class Forward: PeerResponseReceiver {
    let target: InstanceRecord
    /// The session that the request is of.
    let session: SessionID?
    private weak var connection: ClientConnection?
    private var peer: PeerConnection?
    private var isOver = false
    /// The client has the head of the answer.
    private(set) var hasBegun = false
    /// Where the session is, as the instance said that does not have it.
    private(set) var refusedHome: String?

    init(target: InstanceRecord, session: SessionID?, connection: ClientConnection) {
        self.target = target
        self.session = session
        self.connection = connection
    }

    func start(_ head: HTTPRequestHead, body: ByteBuffer, address: InstanceAddress, pool: PeerPool) {
        pool.withConnection(to: address) { result in
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
            return
        }
        hasBegun = true
        connection.forwardResponded(head, of: self)
    }

    func peerSent(_ bytes: ByteBuffer) {
        guard !isOver, hasBegun else { return }
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
