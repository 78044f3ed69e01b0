import NIOCore
import Testing

@testable import Upstreams

@Suite struct StderrThrottleTests {
    @Test("A number of lines per second pass, the rest is counted and reported once per second")
    func window() {
        let start = NIODeadline.uptimeNanoseconds(5_000_000_000)
        var throttle = StderrThrottle(linesPerSecond: 2)
        #expect(throttle.line(at: start) == .log)
        #expect(throttle.line(at: start) == .log)
        #expect(throttle.line(at: start + .milliseconds(1)) == .suppressAndReport(at: start + .seconds(1)))
        #expect(throttle.line(at: start + .milliseconds(999)) == .suppress)
        #expect(throttle.takeSuppressed() == 2)
        #expect(throttle.takeSuppressed() == 0)
        #expect(throttle.line(at: start + .seconds(1)) == .log)
    }

    @Test("A rate of zero suppresses everything")
    func nothing() {
        var throttle = StderrThrottle(linesPerSecond: 0)
        #expect(throttle.line(at: .now()) != .log)
        #expect(throttle.takeSuppressed() == 1)
    }
}
