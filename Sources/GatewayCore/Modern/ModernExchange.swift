import NIOCore

/// The gateway's end of one request of a modern client: what its transport needs to take it back.
public struct ModernExchange: Sendable {
    let relay: ModernRelay?
    let attachment: Int

    /// The client closed the response stream (HTTP), or sent `notifications/cancelled` (stdio): 2026-07-28, basic/patterns/cancellation.
    /// Does nothing when the request was answered, also with an `InputRequiredResult`.
    public func cancel() { relay?.cancel(attachment: attachment) }

    /// The gateway stops and has no more time: the request is answered with an error. Gateway.abandonExchanges does so for sessions' requests.
    public func abandon() { relay?.abandon(attachment: attachment) }
}
