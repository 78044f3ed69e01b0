import Metrics
import Synchronization

/// What is counted of one upstream: made once with its host and shared by its peers, links and processes.
///
/// Recorded are `mcp_upstream_duration_seconds`, `mcp_upstream_restarts_total` and `mcp_child_stderr_lines_dropped_total`, each with the
/// label `upstream`. The other figures are read when somebody asks (``UpstreamFigures``); they are plain atomics, so that reading them
/// disturbs no event loop.
public final class UpstreamMetrics: Sendable {
    private let duration: Timer
    private let restarts: Counter
    private let stderrLinesDropped: Counter
    private let inFlightCalls = Atomic<Int>(0)
    private let inputBytes = Atomic<Int>(0)
    private let runningProcesses = Atomic<Int>(0)

    /// - Parameter upstream: the configured name, the only value of the label `upstream`.
    ///
    /// To be made after `MetricsSystem.bootstrap`: what is made before records nothing.
    public init(upstream: String) {
        let dimensions = [("upstream", upstream)]
        duration = Timer(label: "mcp_upstream_duration_seconds", dimensions: dimensions, preferredDisplayUnit: .seconds)
        restarts = Counter(label: "mcp_upstream_restarts_total", dimensions: dimensions)
        stderrLinesDropped = Counter(label: "mcp_child_stderr_lines_dropped_total", dimensions: dimensions)
    }

    // MARK: Figures

    /// Requests that have no outcome yet, waiting ones included.
    public var inFlight: Int { inFlightCalls.load(ordering: .relaxed) }
    /// Bytes that wait for child processes to read them.
    public var queuedBytes: Int { inputBytes.load(ordering: .relaxed) }
    /// Child processes that run.
    public var processes: Int { runningProcesses.load(ordering: .relaxed) }

    // MARK: Recording

    package func callBegan() { inFlightCalls.wrappingAdd(1, ordering: .relaxed) }

    package func callEnded() { inFlightCalls.wrappingSubtract(1, ordering: .relaxed) }

    /// The time from sending a request to its response.
    package func responded(afterNanoseconds nanoseconds: Int64) { duration.recordNanoseconds(nanoseconds) }

    /// A start of a server that had been started before, whatever the reason.
    func restarted() { restarts.increment() }

    /// Bytes were put into (positive) or left (negative) the queue to a child's standard input.
    public func inputQueueChanged(by bytes: Int) { inputBytes.wrappingAdd(bytes, ordering: .relaxed) }

    public func processStarted() { runningProcesses.wrappingAdd(1, ordering: .relaxed) }

    public func processStopped() { runningProcesses.wrappingSubtract(1, ordering: .relaxed) }

    /// Lines of standard error that did not reach the log because there were too many.
    public func droppedStderrLines(_ count: Int) { stderrLinesDropped.increment(by: count) }
}

/// The state of one upstream at one moment, for health, metrics and diagnosis.
public struct UpstreamFigures: Sendable, Hashable {
    /// The key in `mcpServers`.
    public var name: String
    /// Whether its handshake succeeded and it has not failed since. With `session` isolation: whether it has ever started.
    public var isReady: Bool
    /// Why it is not ready, as far as known.
    public var failure: String?
    /// `mcpServers.<name>.required`.
    public var required: Bool
    /// Requests that have no outcome yet, of all sessions.
    public var inFlight: Int
    /// Bytes that wait for its child processes to read them.
    public var queuedBytes: Int
    /// Its child processes; 0 for remote servers.
    public var processes: Int
}
