import GatewayCore

/// Names a stream among those of all sessions.
struct StreamKey: Hashable {
    let session: SessionID
    let stream: StreamID
}

/// What an append needs to know of its stream.
struct StreamState {
    let number: Int64
    var hasEnded: Bool
    /// Oldest event that is kept; meaningless while `count` is 0.
    var first: Int64
    /// Newest event; 0 when there was none.
    var last: Int64
    var count: Int
    var bytes: Int
    /// Whether `oldest_at` is set.
    var hasAge: Bool
}

/// Counters of the streams used last, so that an append reads nothing. Two generations: a state that is used moves to the young one;
/// when that is half the capacity, the old one is forgotten.
struct StreamCache {
    private let generationCapacity: Int
    private var young: [StreamKey: StreamState] = [:]
    private var old: [StreamKey: StreamState] = [:]

    init(capacity: Int) { generationCapacity = max(1, capacity / 2) }

    func state(of key: StreamKey) -> StreamState? { young[key] ?? old[key] }

    mutating func update(_ key: StreamKey, _ state: StreamState) {
        if young.updateValue(state, forKey: key) == nil, young.count > generationCapacity {
            old = young
            young = [key: state]
        }
    }

    mutating func remove(_ key: StreamKey) {
        young[key] = nil
        old[key] = nil
    }

    mutating func removeAll() {
        young.removeAll()
        old.removeAll()
    }
}
