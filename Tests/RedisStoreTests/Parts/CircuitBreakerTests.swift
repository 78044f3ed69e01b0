import NIOCore
import Testing

@testable import RedisStore

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(UInt64(milliseconds) * 1_000_000) }

    @Test("opens when nothing has succeeded for its patience, and says so once")
    func opens() {
        var breaker = CircuitBreaker(patience: .milliseconds(2000), now: at(0))
        #expect(breaker.failed("a", at: at(1999)) == false)
        breaker.succeeded(at: at(2000))
        #expect(breaker.failed("b", at: at(3000)) == false)
        #expect(!breaker.isOpen)
        #expect(breaker.failed("c", at: at(4000)) == true)
        #expect(breaker.failed("d", at: at(4001)) == false)
        #expect(breaker.isOpen)
        #expect(breaker.reason == "d")
    }

    @Test("stays open while what was kept is written, then tells how long it was")
    func recovers() {
        var breaker = CircuitBreaker(patience: .milliseconds(2000), now: at(0))
        #expect(breaker.recovered(at: at(1)) == nil)
        _ = breaker.failed("a", at: at(3000))
        breaker.succeeded(at: at(5000))
        #expect(breaker.isOpen)
        #expect(breaker.recovered(at: at(5500)) == .milliseconds(2500))
        #expect(!breaker.isOpen)
        #expect(breaker.reason == nil)
        #expect(breaker.failed("a", at: at(7000)) == false)
    }
}
