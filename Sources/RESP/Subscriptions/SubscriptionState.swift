/// Whether a subscription receives what is published.
public enum SubscriptionState: Sendable, Hashable, CustomStringConvertible {
    /// The server has confirmed every channel: what is published from now on arrives, as long as the next state does not come.
    /// `isResumed`: the subscription was interrupted before, and what was published meanwhile is lost; whoever needs it gets it elsewhere, now.
    case subscribed(isResumed: Bool)
    /// Nothing arrives until it is subscribed again; the reason is fit for logs.
    case interrupted(reason: String)
    /// Cancelled, or the client was shut down.
    case ended

    public var description: String {
        switch self {
        case .subscribed(let isResumed): isResumed ? "subscribed again" : "subscribed"
        case .interrupted(let reason): "interrupted: \(reason)"
        case .ended: "ended"
        }
    }
}
