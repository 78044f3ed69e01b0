import GatewayCore
import NIOCore
import NIOHTTP1

/// A request as it came, kept until it is known which instance serves it. A gateway that is alone keeps none.
final class ForwardableRequest {
    let head: HTTPRequestHead
    var body = ByteBuffer()
    /// Where it was sent in vain.
    var tried = TriedInstances()
    /// How often it was sent again though it may have been worked on.
    var repetitions = 0
    /// It has waited for its owner to be heard of.
    var hasWaitedForOwner = false
    /// How often its session had no place.
    private var rounds = 0
    /// Goes on with it once a place for it was not there; looks again.
    var retry: ((ClientConnection) -> Void)?

    init(head: HTTPRequestHead) { self.head = head }

    /// How long to wait before the session is looked for again.
    func nextPause() -> TimeAmount {
        rounds += 1
        return .milliseconds(min(25 << Int64(min(rounds, 4)), 250))
    }
}
