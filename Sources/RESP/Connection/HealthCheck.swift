import NIOCore

/// Whether a connection is alive: a state machine without I/O.
struct HealthCheck: Sendable {
    enum Verdict: Equatable {
        /// Look again then.
        case wait(until: NIODeadline)
        /// Idle for too long to know: ask.
        case ping
        /// An answer is due and nothing comes.
        case dead
    }

    let pingInterval: TimeAmount
    let silenceLimit: TimeAmount
    private var lastRead: NIODeadline
    /// Since when an answer is due, or since when bytes last came while one was.
    private var expectingSince: NIODeadline?

    init(pingInterval: TimeAmount, silenceLimit: TimeAmount, now: NIODeadline) {
        self.pingInterval = pingInterval
        self.silenceLimit = silenceLimit
        lastRead = now
    }

    /// Something that the server will answer was written.
    mutating func wrote(now: NIODeadline) {
        if expectingSince == nil { expectingSince = now }
    }

    /// Bytes came; `isExpecting`: and there are answers that did not.
    mutating func read(now: NIODeadline, isExpecting: Bool) {
        lastRead = now
        expectingSince = isExpecting ? now : nil
    }

    func verdict(now: NIODeadline) -> Verdict {
        if let expectingSince {
            let end = expectingSince + silenceLimit
            return now >= end ? .dead : .wait(until: end)
        }
        let end = lastRead + pingInterval
        return now >= end ? .ping : .wait(until: end)
    }
}
