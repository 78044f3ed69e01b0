public import GatewayCore
public import Logging
import NIOConcurrencyHelpers
public import NIOCore

/// A child process that speaks lines over its standard input and output, in a process group of its own.
///
/// Lives on one event loop: its delegate is called there, and every method must be called there. It knows bytes and lines only.
/// It stays alive until its delegate has been told that it stopped, whether or not anyone else refers to it.
public final class ChildProcess: Sendable {
    /// The process id, and the id of the process group.
    public let processID: Int32
    /// Where everything happens.
    public let eventLoop: any EventLoop

    private let tail: NIOLockedValueBox<[String]>
    private let core: NIOLoopBound<ChildProcessCore>

    init(core: ChildProcessCore, tail: NIOLockedValueBox<[String]>) {
        self.processID = core.processID
        self.eventLoop = core.eventLoop
        self.tail = tail
        self.core = NIOLoopBound(core, eventLoop: core.eventLoop)
    }

    /// Starts a child. Callable on any thread; the result arrives on `eventLoop`, before the first call of the delegate.
    ///
    /// - Parameters:
    ///   - eventLoop: one of a `MultiThreadedEventLoopGroup`, which must outlive the child.
    ///   - metrics: where what waits for the child, and what it wrote and nobody will read, is counted.
    ///   - logger: gets the lines of standard error at level `info`, with the metadata `pid`.
    /// - Returns: the running child, or a ``ChildStartError``; then the delegate is never called.
    public static func start(
        _ command: ChildCommand,
        limits: ChildLimits = ChildLimits(),
        on eventLoop: any EventLoop,
        logger: Logger,
        metrics: UpstreamMetrics? = nil,
        delegate: any ChildProcessDelegate
    ) -> EventLoopFuture<ChildProcess> {
        ChildLauncher(command: command, limits: limits, eventLoop: eventLoop, logger: logger, delegate: delegate, metrics: metrics)
            .launch()
    }

    /// Sends `message` and a newline. Messages of one event-loop tick are written together.
    ///
    /// - Parameter message: one message without newlines.
    /// - Returns: `queueFull` or `closed`, and nothing is sent, when ``ChildLimits/maxQueuedInputBytes`` would be passed or the child is
    ///   stopping.
    public func send(_ message: ByteBuffer) -> LinkAdmission {
        core.value.send(message)
    }

    /// Whether the child has yet to read something that was sent to it.
    public var hasUnreadInput: Bool { core.value.hasUnreadInput }

    /// Begins or stops to read the child's standard output; while it is not read, the child has to wait when its pipe is full. What was read
    /// already is still delivered.
    public func setReading(_ isReading: Bool) {
        core.value.setReading(isReading)
    }

    /// Asks the child to end: closes its standard input (after what is queued), then SIGTERM, then SIGKILL to its group,
    /// see ``ChildLimits``. What it still writes is delivered.
    public func stop() {
        core.value.stop()
    }

    /// Ends the child and its whole process group at once.
    public func kill() {
        core.value.kill(because: .killRequested)
    }

    /// The watching task has the process's status.
    func reaped(_ status: ChildExit.Status, problem: String?) {
        core.value.reaped(status, problem: problem)
    }

    /// The last lines of standard error, oldest first. Callable on any thread.
    public var stderrTail: [String] {
        tail.withLockedValue { $0 }
    }
}
