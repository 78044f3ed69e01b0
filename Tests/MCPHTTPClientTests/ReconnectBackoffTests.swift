import NIOCore
import Testing

@testable import MCPHTTPClient

@Suite("Reconnect backoff")
struct ReconnectBackoffTests {
    private let backoff = ReconnectBackoff(initial: .seconds(1), cap: .seconds(30))

    @Test("doubles from the initial delay up to the cap")
    func doubling() {
        let delays = (0...7).map { backoff.delay(attempt: $0, retryMilliseconds: nil, jitter: 0) }
        #expect(delays == [1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
        #expect(backoff.delay(attempt: .max, retryMilliseconds: nil, jitter: 0) == .seconds(30))
    }

    @Test("never waits less than the server's retry")
    func retry() {
        #expect(backoff.delay(attempt: 0, retryMilliseconds: 10, jitter: 0.9) == .milliseconds(10))
        #expect(backoff.delay(attempt: 0, retryMilliseconds: 0, jitter: 0) == .zero)
        #expect(backoff.delay(attempt: 1, retryMilliseconds: 0, jitter: 0) == .seconds(2))
        #expect(backoff.delay(attempt: 3, retryMilliseconds: 45_000, jitter: 0) == .seconds(45))
        #expect(backoff.delay(attempt: 0, retryMilliseconds: .max, jitter: 0) == .hours(1))
    }

    @Test("jitter adds up to a fifth")
    func jitter() {
        #expect(backoff.delay(attempt: 1, retryMilliseconds: nil, jitter: 0.5) == .milliseconds(2200))
    }
}
