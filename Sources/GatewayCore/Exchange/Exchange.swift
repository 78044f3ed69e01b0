public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// One client request and all that happens until its final response.
public final class Exchange: Sendable {
    /// The session it belongs to.
    public let session: Session
    /// The client's request.
    public let request: Message
    /// Its method.
    public let method: MCPProtocol.Method
    let sink: any ExchangeSink
    /// Raw progress token of the client (basic/utilities/progress), `.absent` when it wants no progress.
    let progressToken: JSONSpan
    /// Called with the upstream's result before the client sees it; what it returns is what the client sees.
    let transform: (@Sendable (Message) -> ByteBuffer?)?
    private let state: NIOLockedValueBox<State>

    private struct State {
        var peer: UpstreamPeer?
        var call: UInt64?
        var isOver = false
    }

    init(
        session: Session, request: Message, method: MCPProtocol.Method, sink: any ExchangeSink,
        transform: (@Sendable (Message) -> ByteBuffer?)? = nil
    ) {
        self.session = session
        self.request = request
        self.method = method
        self.sink = sink
        self.transform = transform
        self.progressToken = request.routing.progressToken
        self.state = NIOLockedValueBox(State())
    }

    /// The same request with another transform, before it is started.
    func transforming(_ transform: @escaping @Sendable (Message) -> ByteBuffer?) -> Exchange {
        Exchange(session: session, request: request, method: method, sink: sink, transform: transform)
    }

    var idBytes: ByteBuffer { request.idBytes ?? ByteBuffer(string: "null") }

    /// The peer that works on it.
    var peer: UpstreamPeer? { state.withLockedValue { $0.peer } }

    private func end() -> Bool {
        let isFirst = state.withLockedValue { state in
            defer { state.isOver = true }
            return !state.isOver
        }
        if isFirst { session.exchangeEnded(self) }
        return isFirst
    }

    /// Ends with a raw `result`.
    func succeed(_ result: ByteBuffer) {
        guard end() else { return }
        sink.emit(.result(MessageWriter.response(id: idBytes, result: result)), of: self)
    }

    /// Ends with an error.
    func fail(_ error: RPCError) {
        guard end() else { return }
        sink.emit(.error(error.response(id: idBytes)), of: self)
    }

    /// The client cancelled it. `reason` is a raw JSON string.
    func cancel(reason: ByteBuffer?) {
        let (peer, call) = state.withLockedValue { ($0.peer, $0.call) }
        guard end() else { return }
        if let peer, let call { peer.cancel(call: call, reason: reason) }
        sink.emit(.cancelled(RPCError(code: .requestCancelled, message: "Request cancelled").response(id: idBytes)), of: self)
    }

    /// A message of the upstream's for the client, on this exchange's stream. False when the exchange is over.
    func emit(_ event: ExchangeEvent) -> Bool {
        guard !state.withLockedValue({ $0.isOver }) else { return false }
        sink.emit(event, of: self)
        return true
    }
}

extension Exchange: UpstreamCallHandler {
    public func upstreamAccepted(call: UInt64, by peer: UpstreamPeer) {
        let wasCancelled = state.withLockedValue { state in
            state.peer = peer
            state.call = call
            return state.isOver
        }
        if wasCancelled { peer.cancel(call: call, reason: nil) }
    }

    public func upstreamProgressed(_ notification: Message) {
        guard progressToken.isPresent, let token = request.json.slice(progressToken) else { return }
        var bytes = ByteBuffer()
        bytes.write(notification.bytes, splicing: [Splice(notification.param("progressToken"), .bytes(token))])
        _ = emit(.notification(bytes))
    }

    public func upstreamResponded(_ response: Message) {
        guard end() else { return }
        if response.kind == .response, let transform, let result = transform(response) {
            sink.emit(.result(MessageWriter.response(id: idBytes, result: result)), of: self)
            return
        }
        var bytes = ByteBuffer()
        bytes.write(response.bytes, splicing: [Splice(response.id, .bytes(idBytes))])
        sink.emit(response.kind == .response ? .result(bytes) : .error(bytes), of: self)
    }

    public func upstreamFailed(_ error: RPCError) { fail(error) }
}
