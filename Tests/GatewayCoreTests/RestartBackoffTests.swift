import NIOCore
import Testing

@testable import GatewayCore

@Suite struct RestartBackoffTests {
    /// The highest or lowest random number.
    private struct Extreme: RandomNumberGenerator {
        var value: UInt64
        mutating func next() -> UInt64 { value }
    }

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func policy(restarts: Int = 100) -> RestartBackoff.Policy {
        RestartBackoff.Policy(
            initialDelay: .milliseconds(100), maximumDelay: .seconds(2), multiplier: 2, stableUptime: .seconds(60),
            maximumRestarts: restarts, window: .seconds(300))
    }

    @Test("The bound of the delay doubles up to the cap")
    func bounds() {
        var backoff = RestartBackoff(policy: policy())
        var random = SystemRandomNumberGenerator()
        var bounds: [TimeAmount] = []
        for _ in 0..<7 {
            bounds.append(backoff.delayBound)
            _ = backoff.next(at: start, uptime: .seconds(1), using: &random)
        }
        #expect(bounds == [100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
    }

    @Test("Delays have full jitter: anything from nothing to the bound")
    func jitter() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var backoff = RestartBackoff(policy: policy())
            guard case .restart(let delay) = backoff.next(at: start, uptime: nil, using: &random) else {
                Issue.record("gave up at the first restart")
                return
            }
            #expect(delay >= .zero && delay <= .milliseconds(100))
        }
        var lowest = Extreme(value: 0)
        var backoff = RestartBackoff(policy: policy())
        #expect(backoff.next(at: start, uptime: nil, using: &lowest) == .restart(after: .zero))
        var highest = Extreme(value: .max)
        var other = RestartBackoff(policy: policy())
        #expect(other.next(at: start, uptime: nil, using: &highest) == .restart(after: .milliseconds(100) - .nanoseconds(1)))
    }

    @Test("A stable uptime starts from the beginning, one nanosecond less does not")
    func stability() {
        var random = SystemRandomNumberGenerator()
        var backoff = RestartBackoff(policy: policy())
        for _ in 0..<4 { _ = backoff.next(at: start, uptime: .seconds(1), using: &random) }
        _ = backoff.next(at: start, uptime: .seconds(60) - .nanoseconds(1), using: &random)
        #expect(backoff.attempts == 5)
        _ = backoff.next(at: start, uptime: .seconds(60), using: &random)
        #expect(backoff.attempts == 1)
        #expect(backoff.delayBound == .milliseconds(200))
    }

    @Test("Past the cap it gives up until the oldest restart leaves the window, then allows one more")
    func cap() {
        var random = SystemRandomNumberGenerator()
        var backoff = RestartBackoff(policy: policy(restarts: 3))
        for second in 0..<3 {
            guard case .restart = backoff.next(at: start + .seconds(Int64(second)), uptime: .zero, using: &random) else {
                Issue.record("gave up early")
                return
            }
        }
        let until = start + .seconds(300)
        #expect(backoff.next(at: start + .seconds(3), uptime: .zero, using: &random) == .giveUp(until: until))
        #expect(backoff.next(at: until - .nanoseconds(1), uptime: nil, using: &random) == .giveUp(until: until))
        #expect(backoff.attempts == 3)
        guard case .restart = backoff.next(at: until, uptime: nil, using: &random) else {
            Issue.record("still gives up after the window")
            return
        }
        #expect(backoff.next(at: until, uptime: nil, using: &random) == .giveUp(until: start + .seconds(301)))
    }

    @Test("A stable uptime also clears the cap")
    func capCleared() {
        var random = SystemRandomNumberGenerator()
        var backoff = RestartBackoff(policy: policy(restarts: 1))
        _ = backoff.next(at: start, uptime: nil, using: &random)
        guard case .giveUp = backoff.next(at: start, uptime: .seconds(59), using: &random) else {
            Issue.record("did not give up")
            return
        }
        guard case .restart = backoff.next(at: start, uptime: .seconds(60), using: &random) else {
            Issue.record("gave up after a stable run")
            return
        }
    }

    @Test("Nonsensical numbers are corrected: no shrinking delays, at least one restart")
    func corrected() {
        let policy = RestartBackoff.Policy(multiplier: 0.5, maximumRestarts: 0)
        #expect(policy.multiplier == 1)
        #expect(policy.maximumRestarts == 1)
        #expect(RestartBackoff(policy: policy).delayBound == .milliseconds(200))
    }
}
