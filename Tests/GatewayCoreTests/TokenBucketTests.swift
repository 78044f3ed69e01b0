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

    @Test("several are taken together or not at all")
    func together() {
        var bucket = TokenBucket(ratePerSecond: 4, now: start)
        let three = bucket.take(3, now: start)
        #expect(three == nil)
        let two = bucket.take(2, now: start)
        #expect(two == .milliseconds(250))
        let one = bucket.take(now: start)
        #expect(one == nil)
    }

    @Test("more than a burst passes when the bucket is full, and what follows waits until it has been made up for")
    func beyondBurst() {
        var bucket = TokenBucket(ratePerSecond: 4, now: start)
        let ten = bucket.take(10, now: start)
        #expect(ten == nil)
        let wait = bucket.take(now: start)
        #expect(wait == .milliseconds(1750))
        let early = bucket.take(10, now: start + .seconds(2))
        #expect(early == .milliseconds(500))
    }

    @Test("what is given back can be taken again, never more than a burst")
    func givenBack() {
        var bucket = TokenBucket(ratePerSecond: 2, now: start)
        let two = bucket.take(2, now: start)
        #expect(two == nil)
        bucket.giveBack(5)
        let isFull = bucket.isFull(now: start)
        #expect(isFull)
        let three = [bucket.take(now: start), bucket.take(now: start), bucket.take(now: start)]
        #expect(three == [nil, nil, .milliseconds(500)])
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
