import NIOCore

/// A ``TokenBucket`` for each client that was heard of in the last moments (`limits.requestRatePerClient`). Pure: the time is a parameter.
///
/// A full bucket is as good as none, so full ones are dropped: whenever there are twice as many as the last time left, which makes it
/// constant work for each request.
struct ClientBuckets {
    private let ratePerSecond: Int
    private let capacity: Int
    private var buckets: [String: TokenBucket] = [:]
    private var sweepsAt = Self.leastSweep
    /// At the capacity dropping would find little each time; so it waits until a bucket may have filled.
    private var sweepsNotBefore = NIODeadline.uptimeNanoseconds(0)

    private static let leastSweep = 1024

    /// - Parameters:
    ///   - ratePerSecond: at least 1.
    ///   - capacity: clients at most. Further ones are let in and not remembered: a client that changes its name with each session cannot
    ///     be told from many clients, and must not keep the others out.
    init(ratePerSecond: Int, capacity: Int = 100_000) {
        self.ratePerSecond = ratePerSecond
        self.capacity = capacity
    }

    /// Clients that are remembered.
    var count: Int { buckets.count }

    /// Takes tokens out of the client's bucket, all or none.
    ///
    /// - Returns: nil when there were enough; else the time until there are.
    mutating func take(_ count: Int, client: String, now: NIODeadline) -> TimeAmount? {
        if let index = buckets.index(forKey: client) { return buckets.values[index].take(count, now: now) }
        if buckets.count >= min(sweepsAt, capacity), now >= sweepsNotBefore { dropFull(now: now) }
        guard buckets.count < capacity else { return nil }
        var bucket = TokenBucket(ratePerSecond: ratePerSecond, now: now)
        let wait = bucket.take(count, now: now)
        buckets[client] = bucket
        return wait
    }

    private mutating func dropFull(now: NIODeadline) {
        buckets = buckets.filter { _, bucket in
            var bucket = bucket
            return !bucket.isFull(now: now)
        }
        sweepsAt = max(Self.leastSweep, 2 * buckets.count)
        sweepsNotBefore = buckets.count >= capacity / 2 ? now + .milliseconds(100) : now
    }
}
