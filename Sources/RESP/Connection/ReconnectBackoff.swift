import NIOCore

/// How long to wait before connecting again: exponential, with full jitter, so that many clients of one server do not come back together.
struct ReconnectBackoff: Sendable {
    let base: TimeAmount
    let max: TimeAmount
    private var attempts = 0

    init(base: TimeAmount, max: TimeAmount) {
        self.base = base
        self.max = max
    }

    /// - Parameter fraction: a random number from 0 to 1.
    mutating func next(fraction: Double) -> TimeAmount {
        let ceiling = min(Double(max.nanoseconds), Double(base.nanoseconds) * Double(1 << min(attempts, 30)))
        attempts += 1
        return .nanoseconds(Int64(ceiling * Swift.min(1, Swift.max(0, fraction))))
    }

    /// The connection was good for so long that its loss says nothing about the next.
    mutating func reset() { attempts = 0 }
}
