public import NIOCore

/// The bounds within which a child process is kept.
public struct ChildLimits: Sendable, Hashable {
    /// The longest line a child may write to its standard output, in bytes without the newline. A longer one ends the child.
    public var maxLineBytes: Int
    /// How many bytes may wait for the child to read its standard input. Past it ``ChildProcess/send(_:)`` refuses.
    public var maxQueuedInputBytes: Int
    /// How many lines of standard error reach the log each second; the rest is counted.
    public var stderrLinesPerSecond: Int
    /// The longest piece of a standard error line that is kept, in bytes; the rest of the line is dropped.
    public var stderrLineBytes: Int
    /// How many of the last standard error lines are kept for error messages.
    public var stderrTailLines: Int
    /// How long a child may take to exit after its standard input was closed, before it gets SIGTERM.
    public var closeInputGrace: TimeAmount
    /// How long a child may take to exit after SIGTERM, before it gets SIGKILL.
    public var terminateGrace: TimeAmount
    /// How long the pipes of a child that has exited are read on when a process that left its group still holds them open.
    public var drainGrace: TimeAmount

    public init(
        maxLineBytes: Int = 16 * 1024 * 1024,
        maxQueuedInputBytes: Int = 64 * 1024 * 1024,
        stderrLinesPerSecond: Int = 20,
        stderrLineBytes: Int = 4096,
        stderrTailLines: Int = 20,
        closeInputGrace: TimeAmount = .seconds(2),
        terminateGrace: TimeAmount = .seconds(3),
        drainGrace: TimeAmount = .milliseconds(500)
    ) {
        self.maxLineBytes = maxLineBytes
        self.maxQueuedInputBytes = maxQueuedInputBytes
        self.stderrLinesPerSecond = stderrLinesPerSecond
        self.stderrLineBytes = stderrLineBytes
        self.stderrTailLines = stderrTailLines
        self.closeInputGrace = closeInputGrace
        self.terminateGrace = terminateGrace
        self.drainGrace = drainGrace
    }
}
