import NIOCore
import Testing

@testable import GatewayCore

@Suite("The bound on the rate of requests of a client")
struct ClientBucketsTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("each client has a bucket of its own")
    func separate() {
        var buckets = ClientBuckets(ratePerSecond: 2)
        let waits = [
            buckets.take(2, client: "a", now: start), buckets.take(1, client: "a", now: start), buckets.take(2, client: "b", now: start),
        ]
        #expect(waits == [nil, .milliseconds(500), nil])
        #expect(buckets.count == 2)
    }

    @Test("clients that have been still are forgotten, those that have not are remembered")
    func forgotten() {
        var buckets = ClientBuckets(ratePerSecond: 1)
        for number in 0..<1023 { _ = buckets.take(1, client: "\(number)", now: start) }
        _ = buckets.take(1, client: "late", now: start + .milliseconds(900))
        #expect(buckets.count == 1024)
        _ = buckets.take(1, client: "new", now: start + .milliseconds(1500))
        #expect(buckets.count == 2)
        let wait = buckets.take(1, client: "late", now: start + .milliseconds(1500))
        #expect(wait == .milliseconds(400))
    }

    @Test("beyond the capacity new clients are let in, those that are remembered keep their bound, and there is room later")
    func full() {
        var buckets = ClientBuckets(ratePerSecond: 1, capacity: 3)
        for client in ["a", "b", "c"] { _ = buckets.take(1, client: client, now: start) }
        let new = [buckets.take(1, client: "d", now: start), buckets.take(1, client: "d", now: start)]
        #expect(new == [nil, nil] && buckets.count == 3)
        let old = buckets.take(1, client: "a", now: start)
        #expect(old == .seconds(1))
        let later = start + .seconds(2)
        let again = [buckets.take(1, client: "d", now: later), buckets.take(1, client: "d", now: later)]
        #expect(again == [nil, .seconds(1)])
    }
}
