import GatewayCore

/// How many sessions the database holds, in all and of each client, so that nobody has to count them. Read once when the store is
/// opened, then kept by what transactions do and undone when they are rolled back.
struct SessionCounts {
    private(set) var total = 0
    private var ofClient: [String: Int] = [:]
    /// What the transaction that is open has changed.
    private var uncommitted: [String: Int] = [:]

    init() {}

    /// - Parameter counts: of each client.
    init(_ counts: [(client: String, count: Int)]) {
        for (client, count) in counts { change(client, by: count) }
    }

    /// The limit that one more session of a client would exceed; nil when there is room.
    func limitReached(_ limits: SessionLimits, client: String) -> LimitKey? {
        if let overall = limits.overall, total >= overall { return .maxSessions }
        if let perClient = limits.perClient, ofClient[client] ?? 0 >= perClient { return .maxSessionsPerClient }
        return nil
    }

    mutating func added(client: String) {
        change(client, by: 1)
        uncommitted[client, default: 0] += 1
    }

    mutating func removed(client: String) {
        change(client, by: -1)
        uncommitted[client, default: 0] -= 1
    }

    mutating func committed() { uncommitted.removeAll(keepingCapacity: true) }

    mutating func rolledBack() {
        for (client, count) in uncommitted { change(client, by: -count) }
        uncommitted.removeAll(keepingCapacity: true)
    }

    private mutating func change(_ client: String, by amount: Int) {
        total += amount
        let count = (ofClient[client] ?? 0) + amount
        ofClient[client] = count == 0 ? nil : count
    }
}
