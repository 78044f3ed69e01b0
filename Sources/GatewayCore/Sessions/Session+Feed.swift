import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// The feed of a session (`/sse/events`): every event of the session in one stream, for any number of connections.
extension Session {
    /// The feed, begun if there is none; nil when the session has ended.
    ///
    /// - Parameter opened: runs when the feed is durable.
    public func openFeed(opened: @escaping @Sendable (Result<Void, StoreError>) -> Void) -> EventStream? {
        let (feed, isNew) = state.withLockedValue { state -> (EventStream?, Bool) in
            if let feed = state.feed { return (feed, false) }
            guard !state.isEnded else { return (nil, false) }
            let feed = gateway.openStream(of: self, kind: .feed, prefix: .feed, requestIDs: nil, opened: opened)
            state.feed = feed
            return (feed, true)
        }
        if feed != nil, !isNew { opened(.success(())) }
        return feed
    }

    /// Puts a notification into the feed, if the session has one.
    func publish(_ notification: ByteBuffer) {
        state.withLockedValue { $0.feed }?.append(notification)
    }
}
