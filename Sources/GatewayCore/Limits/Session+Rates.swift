import NIOConcurrencyHelpers
public import NIOCore

/// How fast a session may send (`limits.requestRatePerSession`, `limits.requestRatePerClient`).
extension Session {
    /// Takes requests out of what the session and its client may send, all or none. Callable from any thread.
    ///
    /// - Parameter count: requests that are sent at once; those of a batch.
    /// - Returns: nil when they may come; else which limit they run into and how long until they may.
    public func takeRequests(_ count: Int = 1, now: NIODeadline) -> (limit: LimitKey, wait: TimeAmount)? {
        let rate = gateway.settings.requestRatePerSession
        if rate > 0, let wait = take(count, ratePerSecond: rate, now: now) { return (.requestRatePerSession, wait) }
        guard let wait = gateway.takeRequests(count, ofClient: clientID, now: now) else { return nil }
        // What other sessions of the client used up is not this one's.
        if rate > 0 { state.withLockedValue { $0.bucket?.giveBack(count) } }
        return (.requestRatePerClient, wait)
    }

    private func take(_ count: Int, ratePerSecond: Int, now: NIODeadline) -> TimeAmount? {
        state.withLockedValue { state in
            if state.bucket == nil { state.bucket = TokenBucket(ratePerSecond: ratePerSecond, now: now) }
            return state.bucket?.take(count, now: now)
        }
    }
}
