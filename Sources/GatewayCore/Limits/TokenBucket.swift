public import NIOCore

/// Bounds a rate with bursts of up to one second's worth. Pure: the time is a parameter.
public struct TokenBucket: Sendable {
    private let ratePerSecond: Double
    private var tokens: Double
    private var updatedAt: NIODeadline

    /// - Parameter ratePerSecond: at least 1. The bucket begins full.
    public init(ratePerSecond: Int, now: NIODeadline) {
        self.ratePerSecond = Double(max(1, ratePerSecond))
        tokens = self.ratePerSecond
        updatedAt = now
    }

    /// Takes one token.
    ///
    /// - Returns: nil when there was one; else the time until there is.
    public mutating func take(now: NIODeadline) -> TimeAmount? {
        let elapsed = max(0, (now - updatedAt).nanoseconds)
        tokens = min(ratePerSecond, tokens + Double(elapsed) / 1e9 * ratePerSecond)
        updatedAt = max(updatedAt, now)
        guard tokens < 1 else {
            tokens -= 1
            return nil
        }
        return .nanoseconds(Int64(((1 - tokens) / ratePerSecond * 1e9).rounded(.up)))
    }
}
