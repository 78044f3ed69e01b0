import CProcessGuard
import Dispatch
import Glibc
public import Logging
import NIOConcurrencyHelpers

/// Ends the gateway's child processes when the gateway is gone, in whatever way, `kill -9` included.
///
/// A tiny process of its own does it, see `process_guard.h`. It is started with the first child, and again if it should die. When it
/// cannot be started the gateway goes on without it.
public final class ProcessGuard: Sendable {
    /// The guard of this process.
    public static let shared = ProcessGuard()

    /// The environment variable by which the guard knows what the gateway has started, directly or not.
    public static let variable = PROCESS_GUARD_VARIABLE

    /// The value of ``variable`` in all children of this gateway: random, 128 bits.
    public let marker: String

    private struct State {
        var lifeline: Int32 = -1
        var processID: Int32?
        var groups: Set<Int32> = []
        /// Nothing is tried before that: a system that cannot fork is not asked at every start.
        var retryAt = DispatchTime(uptimeNanoseconds: 0)
    }

    private let state = NIOLockedValueBox(State())
    private static let queue = DispatchQueue(label: "process-guard")
    private static let retryInterval = DispatchTimeInterval.seconds(1)

    init() {
        var random = SystemRandomNumberGenerator()
        marker = (0..<2).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    deinit {
        // The guard sees the end, and this side too: its source closes the descriptor.
        let lifeline = state.withLockedValue { $0.lifeline }
        if lifeline >= 0 {
            shutdown(lifeline, Int32(SHUT_RDWR))
        }
    }

    /// The process id of the running guard, if there is one.
    public var processID: Int32? { state.withLockedValue { $0.processID } }

    /// Starts the guard unless it runs. Returns whether it does. Blocks for the time of two forks.
    @discardableResult
    public func ensureRunning(logger: Logger) -> Bool {
        state.withLockedValue { start(&$0, logger: logger) }
    }

    /// The group's leader has been started, and not been reaped.
    func register(group: Int32, logger: Logger) {
        state.withLockedValue { state in
            state.groups.insert(group)
            guard start(&state, logger: logger) else { return }
            if process_guard_add(state.lifeline, group) == -EPIPE {
                lost(&state)
                start(&state, logger: logger)
            }
        }
    }

    /// The group is gone. Called before its leader is reaped, while its number cannot be another's.
    func unregister(group: Int32) {
        state.withLockedValue { state in
            state.groups.remove(group)
            if state.lifeline >= 0 {
                _ = process_guard_remove(state.lifeline, group)
            }
        }
    }

    @discardableResult
    private func start(_ state: inout State, logger: Logger) -> Bool {
        guard state.lifeline < 0 else { return true }
        let now = DispatchTime.now()
        guard now >= state.retryAt else { return false }
        state.retryAt = now + Self.retryInterval
        var processID: Int32 = 0
        let lifeline = process_guard_start(marker, &processID)
        guard lifeline >= 0 else {
            logger.error(
                "the guard process could not be started: child processes may outlive the gateway if it is killed",
                metadata: ["error": "\(String(cString: strerror(-lifeline)))"])
            return false
        }
        state.lifeline = lifeline
        state.processID = processID
        for group in state.groups {
            _ = process_guard_add(lifeline, group)
        }
        watch(lifeline, logger: logger)
        return true
    }

    /// Notices the guard's death: it never writes, so its end of the lifeline can only become readable by closing.
    private func watch(_ lifeline: Int32, logger: Logger) {
        let source = DispatchSource.makeReadSource(fileDescriptor: lifeline, queue: Self.queue)
        source.setEventHandler { [weak self] in
            self?.guardDied(lifeline: lifeline, logger: logger)
            // Closes the descriptor. The handler refers to the source and so keeps it alive until here.
            source.cancel()
        }
        source.setCancelHandler { close(lifeline) }
        source.activate()
    }

    private func guardDied(lifeline: Int32, logger: Logger) {
        state.withLockedValue { state in
            guard state.lifeline == lifeline else { return }
            lost(&state)
            logger.warning("the guard process has died and is started again")
            start(&state, logger: logger)
        }
        // Within the retry interval nothing was started: try once more after it.
        Self.queue.asyncAfter(deadline: .now() + Self.retryInterval + .milliseconds(50)) { [weak self] in
            self?.ensureRunning(logger: logger)
        }
    }

    private func lost(_ state: inout State) {
        // Its source closes the descriptor.
        state.lifeline = -1
        state.processID = nil
    }
}
