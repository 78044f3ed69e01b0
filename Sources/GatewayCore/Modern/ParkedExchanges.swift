import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// One exchange whose server waits for its client's input.
struct ParkedExchange: Sendable, Hashable {
    let id: UInt64
}

/// The exchanges whose clients have something to answer: bounded in number and time.
final class ParkedExchanges: Sendable {
    enum Outcome: String, CaseIterable {
        /// The client came back and got its answer.
        case resumed
        /// Nobody came back in time.
        case expired
        /// The client cancelled a request that went on with it.
        case cancelled
        /// A `requestState` was not taken: tampered with, expired, used before, or of another request.
        case refused
    }

    private struct Entry {
        let relay: ModernRelay
        /// When it ends unless the client comes back.
        var deadline: NIODeadline
    }

    private let limit: Int
    private let timeout: TimeAmount
    private let entries = NIOLockedValueBox<[UInt64: Entry]>([:])
    private let counters = Outcome.allCases.map { LazyCounter("mcp_parked_exchange_ends_total", [("outcome", $0.rawValue)]) }

    private let now: @Sendable () -> NIODeadline

    init(limit: Int, timeout: TimeAmount, now: @escaping @Sendable () -> NIODeadline) {
        self.now = now
        self.limit = limit
        self.timeout = timeout
    }

    /// Shows the counters, with 0.
    func prepare() { for counter in counters { counter.prepare() } }

    /// How many there are.
    var count: Int { entries.withLockedValue { $0.count } }

    /// Takes one in; nil when there are as many as may be.
    func add(_ relay: ModernRelay) -> ParkedExchange? {
        let parked = ParkedExchange(id: .random(in: .min ... .max))
        let isIn = entries.withLockedValue { entries in
            guard entries.count < limit else { return false }
            entries[parked.id] = Entry(relay: relay, deadline: .distantFuture)
            return true
        }
        return isIn ? parked : nil
    }

    /// From now on its client has its time to come back.
    func wait(_ parked: ParkedExchange) {
        let deadline = now() + timeout
        entries.withLockedValue { $0[parked.id]?.deadline = deadline }
    }

    /// The exchange with that id; its client has come back.
    func find(_ id: UInt64) -> ModernRelay? {
        entries.withLockedValue { entries in
            entries[id]?.deadline = .distantFuture
            return entries[id]?.relay
        }
    }

    /// It is over.
    func remove(_ parked: ParkedExchange, outcome: Outcome) {
        guard entries.withLockedValue({ $0.removeValue(forKey: parked.id) }) != nil else { return }
        count(outcome)
    }

    func count(_ outcome: Outcome) {
        for (candidate, counter) in zip(Outcome.allCases, counters) where candidate == outcome { counter.increment() }
    }

    /// Ends all that wait: what they wait for goes down with the gateway.
    func endWaiting() {
        let waiting = entries.withLockedValue { entries in
            let waiting = entries.filter { $0.value.deadline != .distantFuture }
            for id in waiting.keys { entries.removeValue(forKey: id) }
            return Array(waiting.values)
        }
        for entry in waiting {
            count(.cancelled)
            entry.relay.expire()
        }
    }

    /// Ends those whose clients have not come back in time.
    func sweep() {
        let now = now()
        let late = entries.withLockedValue { entries in
            let late = entries.filter { $0.value.deadline <= now }
            for id in late.keys { entries.removeValue(forKey: id) }
            return Array(late.values)
        }
        for entry in late {
            count(.expired)
            LimitHits.count(.parkedExchangeTimeout)
            entry.relay.expire()
        }
    }
}
