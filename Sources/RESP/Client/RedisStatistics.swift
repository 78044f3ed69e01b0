import Synchronization

/// What a client has done since it was made, for metrics. Everything but the queue only grows.
public struct RedisStatistics: Sendable, Hashable {
    /// Commands that were taken.
    public var commands: UInt64 = 0
    /// Commands that failed, for whatever reason but an error that the server answered.
    public var failures: UInt64 = 0
    /// Commands that the server answered with an error.
    public var serverErrors: UInt64 = 0
    /// Commands that failed because their deadline passed; they are among the failures.
    public var timeouts: UInt64 = 0
    /// Commands that were refused because of a bound of the queue; they are among the failures.
    public var rejected: UInt64 = 0
    /// Times that a command was sent again because it was not executed.
    public var repeats: UInt64 = 0
    /// Connections for commands that were made after the first.
    public var reconnects: UInt64 = 0
    /// Attempts to connect that failed.
    public var connectFailures: UInt64 = 0
    /// Connections to another master than the one before.
    public var failovers: UInt64 = 0
    /// Messages of subscriptions.
    public var messages: UInt64 = 0
    /// Connections of subscriptions that were lost.
    public var subscriptionLosses: UInt64 = 0
    /// Bytes read and written, after decryption, on all connections.
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    /// Commands that are not answered now, and their bytes.
    public var queuedCommands = 0
    public var queuedBytes = 0
}

/// The atomics behind ``RedisStatistics``.
final class RedisCounters: Sendable {
    enum Count: Int, CaseIterable {
        case commands, failures, serverErrors, timeouts, rejected, repeats, reconnects, connectFailures, failovers, messages,
            subscriptionLosses
    }

    private let commands = Atomic<UInt64>(0)
    private let failures = Atomic<UInt64>(0)
    private let serverErrors = Atomic<UInt64>(0)
    private let timeouts = Atomic<UInt64>(0)
    private let rejected = Atomic<UInt64>(0)
    private let repeats = Atomic<UInt64>(0)
    private let reconnects = Atomic<UInt64>(0)
    private let connectFailures = Atomic<UInt64>(0)
    private let failovers = Atomic<UInt64>(0)
    private let messages = Atomic<UInt64>(0)
    private let subscriptionLosses = Atomic<UInt64>(0)
    private let bytesIn = Atomic<UInt64>(0)
    private let bytesOut = Atomic<UInt64>(0)
    private let queuedCommands = Atomic<Int>(0)
    private let queuedBytes = Atomic<Int>(0)

    func increment(_ count: Count) {
        switch count {
        case .commands: commands.add(1, ordering: .relaxed)
        case .failures: failures.add(1, ordering: .relaxed)
        case .serverErrors: serverErrors.add(1, ordering: .relaxed)
        case .timeouts: timeouts.add(1, ordering: .relaxed)
        case .rejected: rejected.add(1, ordering: .relaxed)
        case .repeats: repeats.add(1, ordering: .relaxed)
        case .reconnects: reconnects.add(1, ordering: .relaxed)
        case .connectFailures: connectFailures.add(1, ordering: .relaxed)
        case .failovers: failovers.add(1, ordering: .relaxed)
        case .messages: messages.add(1, ordering: .relaxed)
        case .subscriptionLosses: subscriptionLosses.add(1, ordering: .relaxed)
        }
    }

    func add(bytesIn count: Int) { bytesIn.add(UInt64(count), ordering: .relaxed) }
    func add(bytesOut count: Int) { bytesOut.add(UInt64(count), ordering: .relaxed) }

    /// Takes a command into the queue; the bound that forbids it, otherwise.
    func admit(bytes: Int, maxCommands: Int, maxBytes: Int) -> String? {
        increment(.commands)
        let commands = queuedCommands.add(1, ordering: .relaxed).newValue
        let total = queuedBytes.add(bytes, ordering: .relaxed).newValue
        guard commands > maxCommands || total > maxBytes else { return nil }
        release(bytes: bytes)
        increment(.rejected)
        increment(.failures)
        return commands > maxCommands ? "maxQueuedCommands is \(maxCommands)" : "maxQueuedBytes is \(maxBytes)"
    }

    /// A command left the queue.
    func release(bytes: Int) {
        queuedCommands.subtract(1, ordering: .relaxed)
        queuedBytes.subtract(bytes, ordering: .relaxed)
    }

    var statistics: RedisStatistics {
        var statistics = RedisStatistics()
        statistics.commands = commands.load(ordering: .relaxed)
        statistics.failures = failures.load(ordering: .relaxed)
        statistics.serverErrors = serverErrors.load(ordering: .relaxed)
        statistics.timeouts = timeouts.load(ordering: .relaxed)
        statistics.rejected = rejected.load(ordering: .relaxed)
        statistics.repeats = repeats.load(ordering: .relaxed)
        statistics.reconnects = reconnects.load(ordering: .relaxed)
        statistics.connectFailures = connectFailures.load(ordering: .relaxed)
        statistics.failovers = failovers.load(ordering: .relaxed)
        statistics.messages = messages.load(ordering: .relaxed)
        statistics.subscriptionLosses = subscriptionLosses.load(ordering: .relaxed)
        statistics.bytesIn = bytesIn.load(ordering: .relaxed)
        statistics.bytesOut = bytesOut.load(ordering: .relaxed)
        statistics.queuedCommands = queuedCommands.load(ordering: .relaxed)
        statistics.queuedBytes = queuedBytes.load(ordering: .relaxed)
        return statistics
    }
}
