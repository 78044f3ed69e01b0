public import NIOCore

/// Receives what a child process does. Called on the child's event loop.
///
/// The child keeps its delegate alive until it has stopped.
public protocol ChildProcessDelegate: AnyObject, Sendable {
    /// One line of the child's standard output, without its newline (and a carriage return before it), never empty.
    ///
    /// The buffer is a slice of what was read: who keeps a small line for long should copy it.
    func childProcess(_ child: ChildProcess, received line: ByteBuffer)

    /// The child has ended. Called exactly once, after the last line.
    func childProcess(_ child: ChildProcess, stopped exit: ChildExit)
}
