import GatewayCore
import NIOCore

/// Whether the others take this instance for alive, by its own monotonic clock.
///
/// The lease counts from before a heartbeat was sent, so it ends here before it ends for the others: they count from when Redis took it.
struct LeaseClock {
    let length: TimeAmount
    private var end: NIODeadline?
    private var generation: UInt64 = 0
    /// Another process took over the name of the instance: the lease does not come back.
    private(set) var isReplaced = false

    init(length: TimeAmount) { self.length = length }

    /// Redis took a heartbeat.
    ///
    /// - Parameters:
    ///   - sentAt: before it was sent.
    ///   - now: when the answer came.
    /// - Returns: true when the lease had lapsed and is held again.
    mutating func heard(sentAt: NIODeadline, now: NIODeadline) -> Bool {
        // An answer that comes too late says that the others took it for dead meanwhile.
        guard !isReplaced, sentAt + length > now else { return false }
        // A lapse that nobody looked at is one all the same.
        let lapsed = end.map { now >= $0 } ?? false
        if lapsed { generation += 1 }
        end = max(end ?? sentAt + length, sentAt + length)
        return lapsed
    }

    mutating func replaced() { isReplaced = true }

    func lease(at now: NIODeadline) -> Lease {
        guard !isReplaced, let end, now < end else { return .lapsed(generation: generation) }
        return .held(generation: generation)
    }
}
