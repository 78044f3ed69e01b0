/// When a crashed server is started again: exponential delays with full jitter, a cap on the delay and a cap on restarts in a window.
///
/// Pure: times are passed in, as is the random number.
public struct RestartBackoff: Sendable {
    /// The bounds.
    public struct Policy: Sendable, Hashable {
        /// Upper end of the first delay.
        public var initialDelay: Duration = .milliseconds(200)
        /// No delay is longer.
        public var maximumDelay: Duration = .seconds(30)
        /// A server that ran this long counts as healthy: the next crash begins with the first delay.
        public var stableAfter: Duration = .seconds(30)
        /// More crashes than this within `window` and the server is given up for `giveUpFor`.
        public var maximumRestarts = 8
        public var window: Duration = .seconds(120)
        public var giveUpFor: Duration = .seconds(60)

        public init() {}
    }

    /// What to do after a crash.
    public enum Decision: Sendable, Hashable {
        case restart(after: Duration)
        case giveUp(for: Duration)
    }

    public let policy: Policy
    private var consecutive = 0
    private var crashes: [Duration] = []

    public init(policy: Policy = Policy()) { self.policy = policy }

    /// A server ended unasked.
    ///
    /// - Parameters:
    ///   - now: time since any fixed point.
    ///   - uptime: how long it had been ready; zero when the handshake never succeeded.
    ///   - random: between 0 and 1.
    public mutating func crashed(at now: Duration, uptime: Duration, random: Double) -> Decision {
        if uptime >= policy.stableAfter { consecutive = 0 }
        crashes.removeAll { now - $0 > policy.window }
        crashes.append(now)
        guard crashes.count <= policy.maximumRestarts else {
            crashes.removeAll()
            consecutive = 0
            return .giveUp(for: policy.giveUpFor)
        }
        // The first restart of a server that was healthy is immediate: most crashes are single ones.
        if consecutive == 0, uptime > .zero {
            consecutive = 1
            return .restart(after: .zero)
        }
        let ceiling = min(policy.initialDelay * (1 << min(consecutive, 20)), policy.maximumDelay)
        consecutive += 1
        // Full jitter over the upper half, so that a delay is never next to nothing.
        return .restart(after: ceiling * (0.5 + 0.5 * min(max(random, 0), 1)))
    }
}
