import NIOCore

/// How long a connection may be as it is (`limits.headerTimeout`, `bodyTimeout`, `idleTimeout`). Pure: the time is a parameter.
struct ConnectionDeadline {
    /// What the client is late with.
    enum Reason {
        /// No request came.
        case idle
        /// The header has begun and is not complete.
        case header
        /// The body is not complete.
        case body
    }

    private(set) var reason: Reason?
    private var end = NIODeadline.distantFuture

    mutating func start(_ reason: Reason, now: NIODeadline, settings: HTTPTransportSettings) {
        self.reason = reason
        switch reason {
        case .idle: end = now + settings.idleTimeout
        case .header: end = now + settings.headerTimeout
        case .body: end = now + settings.bodyTimeout
        }
    }

    /// It is the gateway's turn.
    mutating func stop() {
        reason = nil
        end = .distantFuture
    }

    func isExpired(now: NIODeadline) -> Bool { now >= end }

    /// What the client is late with; once, then the deadline is off.
    mutating func expired(now: NIODeadline) -> Reason? {
        guard now >= end, let reason else { return nil }
        stop()
        return reason
    }
}

/// Tells a reader that takes nothing from one that is slow (`limits.writeTimeout`). Pure.
///
/// What waits in the process becomes less in leaps, whenever the kernel has room for much; a slow reader's leaps may be further apart than the
/// timeout. So half of the timeout without one is a suspicion, and what waits in the kernel decides.
struct WriteProgress {
    private var pending = 0
    private var since = NIODeadline.distantFuture
    /// Bytes in the kernel at the last suspicion.
    private var inKernel: Int?

    /// Whether what waits has not become less for longer than half of `timeout`.
    ///
    /// - Parameter pending: bytes that wait in the process now.
    mutating func isSuspicious(pending: Int, now: NIODeadline, timeout: TimeAmount) -> Bool {
        guard pending > 0 else {
            self = WriteProgress()
            return false
        }
        // More is what the gateway adds; less is what the reader took.
        if since == .distantFuture || pending < self.pending {
            since = now
            inKernel = nil
        }
        self.pending = pending
        return (now - since).nanoseconds >= timeout.nanoseconds / 2
    }

    /// Whether the suspicion is confirmed; if not, the time begins anew.
    ///
    /// - Parameter inKernel: bytes that wait in the kernel now; nil when it does not tell.
    mutating func isStalled(inKernel: Int?, now: NIODeadline) -> Bool {
        defer {
            self.inKernel = inKernel ?? 0
            since = now
        }
        guard let before = self.inKernel else { return false }
        return inKernel ?? before >= before
    }
}
