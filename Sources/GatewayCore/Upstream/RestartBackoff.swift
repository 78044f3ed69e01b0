public import NIOCore

/// Decides when a child that has stopped is started again. A value; the clock and the randomness are passed in.
///
/// Delays grow exponentially with full jitter (each is uniform between 0 and the current bound), so that many children that died together do
/// not come back together. A child that stayed up long enough starts from the beginning. Too many restarts within a window are refused.
public struct RestartBackoff: Sendable, Hashable {
    /// The numbers of a ``RestartBackoff``.
    public struct Policy: Sendable, Hashable {
        /// The bound of the first delay.
        public var initialDelay: TimeAmount
        /// No delay is longer.
        public var maximumDelay: TimeAmount
        /// The bound grows by this factor with each restart, at least 1.
        public var multiplier: Double
        /// A child that ran this long is healthy again.
        public var stableUptime: TimeAmount
        /// How many restarts there may be within `window`, at least 1.
        public var maximumRestarts: Int
        public var window: TimeAmount

        public init(
            initialDelay: TimeAmount = .milliseconds(200),
            maximumDelay: TimeAmount = .seconds(30),
            multiplier: Double = 2,
            stableUptime: TimeAmount = .seconds(60),
            maximumRestarts: Int = 10,
            window: TimeAmount = .minutes(5)
        ) {
            self.initialDelay = initialDelay
            self.maximumDelay = maximumDelay
            self.multiplier = max(1, multiplier)
            self.stableUptime = stableUptime
            self.maximumRestarts = max(1, maximumRestarts)
            self.window = window
        }
    }

    public enum Decision: Sendable, Hashable {
        /// Start it after this delay.
        case restart(after: TimeAmount)
        /// Too many restarts: refuse it until then, then ask again.
        case giveUp(until: NIODeadline)
    }

    public let policy: Policy
    /// How many delays have been given since the child was last stable.
    public private(set) var attempts = 0
    /// When the restarts of the current window were granted, oldest first; at most `maximumRestarts`.
    private var granted: [NIODeadline] = []

    public init(policy: Policy = Policy()) {
        self.policy = policy
    }

    /// What to do about a child that has stopped, or did not start.
    ///
    /// - Parameters:
    ///   - uptime: how long it had run; `nil` when it never started.
    public mutating func next(
        at now: NIODeadline,
        uptime: TimeAmount?,
        using random: inout some RandomNumberGenerator
    ) -> Decision {
        if let uptime, uptime >= policy.stableUptime {
            attempts = 0
            granted.removeAll(keepingCapacity: true)
        }
        granted.removeAll { $0 + policy.window <= now }
        if let oldest = granted.first, granted.count >= policy.maximumRestarts {
            return .giveUp(until: oldest + policy.window)
        }
        let bound = Double(delayBound.nanoseconds)
        attempts += 1
        granted.append(now)
        // One random number, always: a uniform fraction in [0, 1) from its upper 53 bits.
        let fraction = Double(random.next() >> 11) * 0x1p-53
        return .restart(after: .nanoseconds(Int64(bound * fraction)))
    }

    /// The longest that the next delay can be.
    public var delayBound: TimeAmount {
        let maximum = Double(policy.maximumDelay.nanoseconds)
        var bound = Double(policy.initialDelay.nanoseconds)
        for _ in 0..<attempts where bound < maximum {
            bound *= policy.multiplier
            if policy.multiplier == 1 { break }
        }
        return .nanoseconds(bound < maximum ? Int64(bound) : policy.maximumDelay.nanoseconds)
    }
}
