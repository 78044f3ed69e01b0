import NIOCore

/// How long to wait before a stream is resumed.
struct ReconnectBackoff: Sendable {
    /// A `retry` beyond this is a mistake of the server.
    static let longestRetry = TimeAmount.hours(1)

    let initial: TimeAmount
    let cap: TimeAmount

    /// - Parameters:
    ///   - attempt: 0 after progress on the stream; counts up with every attempt that brought none.
    ///   - retryMilliseconds: the server's `retry`, a minimum (basic/transports: the client MUST respect it).
    ///   - jitter: 0 ..< 1; up to a fifth more wait, so that clients of a restarted server do not come all at once.
    func delay(attempt: Int, retryMilliseconds: Int64?, jitter: Double) -> TimeAmount {
        let longest = Self.longestRetry.nanoseconds
        let base = retryMilliseconds.map { $0 > longest / 1_000_000 ? longest : $0 * 1_000_000 } ?? initial.nanoseconds
        guard attempt > 0 else { return .nanoseconds(base) }
        // The doubling starts from something even when the server asks for no wait at all.
        let start = max(base, initial.nanoseconds)
        let doubled = min(Double(cap.nanoseconds), Double(start) * Double(1 << min(attempt, 20)))
        let wait = max(Double(base), doubled)
        return .nanoseconds(Int64(wait + wait * 0.2 * jitter))
    }
}
