/// How and why a child process ended.
public struct ChildExit: Sendable, Hashable, CustomStringConvertible {
    /// What the operating system says about the end of the process.
    public enum Status: Sendable, Hashable {
        case exited(code: Int32)
        case signalled(signal: Int32)
    }

    /// What the gateway did, or saw, that led to the end. A child that ends of its own accord has no reason.
    public enum Reason: Sendable, Hashable, CustomStringConvertible {
        /// ``ChildProcess/stop()`` was called.
        case stopRequested
        /// ``ChildProcess/kill()`` was called.
        case killRequested
        /// A line of standard output was longer than ``ChildLimits/maxLineBytes``.
        case lineTooLong(limit: Int)
        /// The child closed its standard output and lived on.
        case closedOutput
        /// The child closed its standard input and lived on.
        case closedInput
        /// The operating system refused to watch or to connect the child.
        case unmanageable(String)

        public var description: String {
            switch self {
            case .stopRequested: "the gateway stopped it"
            case .killRequested: "the gateway killed it"
            case .lineTooLong(let limit): "it wrote a line of more than \(limit) bytes to standard output (limits.maxLineBytes)"
            case .closedOutput: "it had closed its standard output without exiting"
            case .closedInput: "it had closed its standard input without exiting"
            case .unmanageable(let problem): "the gateway could not manage it: \(problem)"
            }
        }
    }

    public var status: Status
    public var reason: Reason?
    /// The last lines of standard error, oldest first, at most ``ChildLimits/stderrTailLines``.
    public var stderrTail: [String]

    public init(status: Status, reason: Reason? = nil, stderrTail: [String] = []) {
        self.status = status
        self.reason = reason
        self.stderrTail = stderrTail
    }

    /// One sentence for logs and for the error that a client sees.
    public var description: String {
        var text: String
        switch status {
        case .exited(let code): text = "the process exited with code \(code)"
        case .signalled(let signal): text = "the process was ended by \(SignalName.describe(signal))"
        }
        if let reason {
            text += " because \(reason)"
        }
        if stderrTail.isEmpty {
            text += "; it wrote nothing to standard error"
        } else {
            text += "; last lines of standard error: " + stderrTail.suffix(Self.describedLines).joined(separator: " | ")
        }
        return text
    }

    private static let describedLines = 5
}
