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
struct WriteProgress {
    private var pending = 0
    private var since = NIODeadline.distantFuture

    /// Whether what waits has not become less for longer than `timeout`.
    ///
    /// - Parameter pending: bytes that wait for the reader now.
    mutating func isStalled(pending: Int, now: NIODeadline, timeout: TimeAmount) -> Bool {
        guard pending > 0 else {
            self = WriteProgress()
            return false
        }
        // More is what the gateway adds; less is what the reader took.
        if since == .distantFuture || pending < self.pending { since = now }
        self.pending = pending
        return now - since >= timeout
    }
}
