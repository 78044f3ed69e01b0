import GatewayCore
import NIOCore
import Testing

@testable import RedisStore

@Suite("The lease, by this process's clock")
struct LeaseClockTests {
    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000) }

    @Test("is not held before Redis has heard of the instance")
    func start() {
        #expect(LeaseClock(length: .seconds(3)).lease(at: at(0)) == .lapsed(generation: 0))
    }

    @Test("counts from before the heartbeat was sent, however late the answer comes")
    func sent() {
        var clock = LeaseClock(length: .milliseconds(3000))
        #expect(clock.heard(sentAt: at(1000), now: at(2500)) == false)
        #expect(clock.lease(at: at(3999)) == .held(generation: 0))
        #expect(clock.lease(at: at(4000)) == .lapsed(generation: 0))
    }

    @Test("has a new generation after a lapse, also one that nobody looked at")
    func lapse() {
        var clock = LeaseClock(length: .milliseconds(3000))
        _ = clock.heard(sentAt: at(1000), now: at(1001))
        #expect(clock.heard(sentAt: at(3000), now: at(3999)) == false)
        #expect(clock.heard(sentAt: at(6000), now: at(6001)) == true)
        #expect(clock.lease(at: at(6002)) == .held(generation: 1))
    }

    @Test("stays lapsed when the answer comes too late, and does not move back")
    func late() {
        var clock = LeaseClock(length: .milliseconds(3000))
        _ = clock.heard(sentAt: at(5000), now: at(5001))
        _ = clock.heard(sentAt: at(4000), now: at(5002))
        #expect(clock.lease(at: at(7999)) == .held(generation: 0))
        _ = clock.heard(sentAt: at(7000), now: at(11_000))
        #expect(clock.lease(at: at(11_000)) == .lapsed(generation: 0))
        _ = clock.heard(sentAt: at(11_000), now: at(11_001))
        #expect(clock.lease(at: at(11_001)) == .held(generation: 1))
    }

    @Test("does not come back once another process has the name")
    func replaced() {
        var clock = LeaseClock(length: .milliseconds(3000))
        _ = clock.heard(sentAt: at(1000), now: at(1001))
        clock.replaced()
        #expect(clock.lease(at: at(1002)) == .lapsed(generation: 0))
        #expect(clock.heard(sentAt: at(2000), now: at(2001)) == false)
        #expect(clock.lease(at: at(2002)) == .lapsed(generation: 0))
    }
}
