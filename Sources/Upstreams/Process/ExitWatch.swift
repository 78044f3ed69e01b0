import CProcessGuard
import Dispatch
import Glibc

/// Notices that a process has exited without reaping it.
enum ExitWatch {
    /// Calls `exited` once, on any thread, when the process has exited. It must not be reaped before.
    ///
    /// - Parameter processDescriptor: its pidfd, or a negative number on kernels without (before 5.3).
    static func start(processID: Int32, processDescriptor: Int32, exited: @escaping @Sendable () -> Void) {
        // A copy, because the original is closed when the process is reaped, and that may be before the source is gone.
        let descriptor = processDescriptor >= 0 ? process_guard_duplicate(processDescriptor) : -1
        guard descriptor >= 0 else {
            DispatchQueue(label: "child-exit-\(processID)").async {
                var information = siginfo_t()
                while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
                exited()
            }
            return
        }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler {
            exited()
            // The handler refers to the source and so keeps it alive until here.
            source.cancel()
        }
        source.setCancelHandler { close(descriptor) }
        source.activate()
    }

    private static let queue = DispatchQueue(label: "child-exits")
}
