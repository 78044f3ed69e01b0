import NIOConcurrencyHelpers
import NIOCore

/// How fast clients may send (`limits.requestRatePerClient`).
extension Gateway {
    /// Takes requests out of what all sessions of a client may send; nil when they may come, else how long until they may.
    func takeRequests(_ count: Int, ofClient client: String, now: NIODeadline) -> TimeAmount? {
        guard settings.requestRatePerClient > 0 else { return nil }
        return clientBuckets.withLockedValue { $0.take(count, client: client, now: now) }
    }
}
