import NIOCore

/// Decides whether calls wait for Redis or fail at once.
///
/// Calls wait within their deadline until nothing has succeeded for that long. Then the breaker is open, until Redis was heard of again and
/// what was kept meanwhile is written (``recovered()``).
struct CircuitBreaker {
    /// How long nothing may succeed.
    let patience: TimeAmount
    private(set) var isOpen = false
    private var newestSuccess: NIODeadline
    /// Why the newest call failed.
    private(set) var reason: String?
    private(set) var openedAt: NIODeadline?

    init(patience: TimeAmount, now: NIODeadline) {
        self.patience = patience
        newestSuccess = now
    }

    mutating func succeeded(at now: NIODeadline) {
        newestSuccess = max(newestSuccess, now)
        if !isOpen { reason = nil }
    }

    /// A call failed because Redis could not be reached.
    /// - Returns: true when that opens the breaker.
    mutating func failed(_ reason: String, at now: NIODeadline) -> Bool {
        self.reason = reason
        guard !isOpen, now - newestSuccess >= patience else { return false }
        isOpen = true
        openedAt = now
        return true
    }

    /// Everything that was kept is in Redis.
    /// - Returns: how long the breaker was open; nil if it was not.
    mutating func recovered(at now: NIODeadline) -> TimeAmount? {
        newestSuccess = max(newestSuccess, now)
        guard isOpen, let since = openedAt else { return nil }
        isOpen = false
        openedAt = nil
        reason = nil
        return now - since
    }
}
