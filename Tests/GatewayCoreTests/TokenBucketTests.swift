import NIOCore
import Testing

@testable import GatewayCore

@Suite("The bound on the rate of requests")
struct TokenBucketTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("a second's worth may come at once, then one for each part of a second")
    func burst() {
        var bucket = TokenBucket(ratePerSecond: 4, now: start)
        for _ in 0..<4 {
            let wait = bucket.take(now: start)
            #expect(wait == nil)
        }
        let wait13 = bucket.take(now: start)
        #expect(wait13 == .milliseconds(250))
        let wait14 = bucket.take(now: start + .milliseconds(249))
        #expect(wait14 != nil)
        let wait15 = bucket.take(now: start + .milliseconds(250))
        #expect(wait15 == nil)
        let wait16 = bucket.take(now: start + .milliseconds(251))
        #expect(wait16 == .milliseconds(249))
    }

    @Test("what is not used is not saved up beyond a second's worth")
    func idle() {
        var bucket = TokenBucket(ratePerSecond: 2, now: start)
        let later = start + .hours(10)
        let wait23 = bucket.take(now: later)
        #expect(wait23 == nil)
        let wait24 = bucket.take(now: later)
        #expect(wait24 == nil)
        let wait25 = bucket.take(now: later)
        #expect(wait25 != nil)
    }

    @Test("a clock that goes back gives nothing and takes nothing")
    func backwards() {
        var bucket = TokenBucket(ratePerSecond: 1, now: start)
        let wait31 = bucket.take(now: start)
        #expect(wait31 == nil)
        let wait32 = bucket.take(now: start - .seconds(5))
        #expect(wait32 != nil)
        let wait33 = bucket.take(now: start + .seconds(1))
        #expect(wait33 == nil)
    }
}
