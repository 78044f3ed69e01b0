import GatewayCore
import MCPProtocol
import NIOHTTP1
import Synchronization

/// What a client of HTTP+SSE sent in one POST, on its way to the stream.
struct PostedMessages: Sendable {
    typealias Completion = @Sendable (RefusedMessages?) -> Void

    let payload: Message.Payload
    let context: RequestContext
    /// The POST's place: it is answered at once, but the work goes on.
    let place: RequestPlace
}

/// One of the places of `limits.maxConcurrentRequests`, which is given back once.
final class RequestPlace: Sendable {
    private let load: RequestLoad
    private let isHeld: Atomic<Bool>

    /// - Parameter isHeld: false for a request that has none to give back.
    init(_ load: RequestLoad, isHeld: Bool) {
        self.load = load
        self.isHeld = Atomic(isHeld)
    }

    func giveBack() {
        if isHeld.exchange(false, ordering: .relaxed) { load.endRequest() }
    }
}

/// Takes the events of the requests of one POST.
final class PostedRequests: ExchangeSink {
    private let stream: HTTPSSEStream
    private let place: RequestPlace
    private let remaining: Atomic<Int>

    init(count: Int, stream: HTTPSSEStream, place: RequestPlace) {
        remaining = Atomic(count)
        self.stream = stream
        self.place = place
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        if event.isFinal, remaining.wrappingSubtract(1, ordering: .relaxed).newValue == 0 { place.giveBack() }
        stream.emit(event)
    }
}

extension Refusal {
    /// There is no stream of the session that a POST names.
    static let noStream = Refusal(
        status: .notFound,
        error: RPCError(
            code: .connectionClosed,
            message: "There is no open stream of this session; open one with GET and use the endpoint that it names"))
}
