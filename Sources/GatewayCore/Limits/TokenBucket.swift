public import NIOCore

/// Bounds a rate with bursts of up to one second's worth. Pure: the time is a parameter.
public struct TokenBucket: Sendable {
    private let ratePerSecond: Double
    /// Below 0 after more was taken at once than a burst holds.
    private var tokens: Double
    private var updatedAt: NIODeadline

    /// - Parameter ratePerSecond: at least 1. The bucket begins full.
    public init(ratePerSecond: Int, now: NIODeadline) {
        self.ratePerSecond = Double(max(1, ratePerSecond))
        tokens = self.ratePerSecond
        updatedAt = now
    }

    /// Takes tokens, all or none. More than a burst holds can be taken from a full bucket; what is missing is owed, so that the rate is kept.
    ///
    /// - Parameter count: at least 0.
    /// - Returns: nil when there were enough; else the time until there are.
    public mutating func take(_ count: Int = 1, now: NIODeadline) -> TimeAmount? {
        fill(now: now)
        let needed = min(Double(count), ratePerSecond)
        guard tokens < needed else {
            tokens -= Double(count)
            return nil
        }
        return .nanoseconds(Int64(((needed - tokens) / ratePerSecond * 1e9).rounded(.up)))
    }

    /// Puts back what was taken for something that was refused for another reason.
    public mutating func giveBack(_ count: Int) { tokens = min(ratePerSecond, tokens + Double(count)) }

    /// Whether it is as good as a new one.
    public mutating func isFull(now: NIODeadline) -> Bool {
        fill(now: now)
        return tokens >= ratePerSecond
    }

    private mutating func fill(now: NIODeadline) {
        let elapsed = max(0, (now - updatedAt).nanoseconds)
        tokens = min(ratePerSecond, tokens + Double(elapsed) / 1e9 * ratePerSecond)
        updatedAt = max(updatedAt, now)
    }
}
