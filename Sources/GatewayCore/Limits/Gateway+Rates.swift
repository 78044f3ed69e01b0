public import MCPProtocol
import NIOConcurrencyHelpers
public import NIOCore

/// How fast clients may send (`limits.requestRatePerClient`).
extension Gateway {
    /// Takes requests out of what all sessions of a client may send; nil when they may come, else how long until they may.
    func takeRequests(_ count: Int, ofClient client: String, now: NIODeadline) -> TimeAmount? {
        guard settings.requestRatePerClient > 0 else { return nil }
        return clientBuckets.withLockedValue { $0.take(count, client: client, now: now) }
    }

    /// Takes a modern request out of what its client may send; nil when it may come, else how long until it may. A client that does not say
    /// who it is shares with all of its kind.
    public func takeRequest(of metadata: RequestMetadata, now: NIODeadline) -> TimeAmount? {
        guard settings.requestRatePerClient > 0 else { return nil }
        return takeRequests(1, ofClient: Session.clientName(of: metadata), now: now)
    }
}
