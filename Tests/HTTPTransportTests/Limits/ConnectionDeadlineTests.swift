import NIOCore
import Testing

@testable import HTTPTransport

@Suite("How long a client may take")
struct ConnectionDeadlineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var settings: HTTPTransportSettings {
        var settings = HTTPTransportSettings()
        settings.idleTimeout = .seconds(30)
        settings.headerTimeout = .seconds(3)
        settings.bodyTimeout = .seconds(5)
        return settings
    }

    @Test(
        "each part of a request has a time of its own",
        arguments: [
            (ConnectionDeadline.Reason.idle, TimeAmount.seconds(30)), (.header, .seconds(3)), (.body, .seconds(5)),
        ])
    func times(reason: ConnectionDeadline.Reason, time: TimeAmount) {
        var deadline = ConnectionDeadline()
        deadline.start(reason, now: start, settings: settings)
        #expect(!deadline.isExpired(now: start + time - .nanoseconds(1)))
        let found25 = deadline.expired(now: start + time - .nanoseconds(1))
        #expect(found25 == nil)
        #expect(deadline.isExpired(now: start + time))
        let found28 = deadline.expired(now: start + time)
        #expect(found28 == reason)
        // Told once.
        let found31 = deadline.expired(now: start + time + .hours(1))
        #expect(found31 == nil)
    }

    @Test("while it is the gateway's turn nothing expires")
    func stopped() {
        var deadline = ConnectionDeadline()
        #expect(!deadline.isExpired(now: start + .hours(1000)))
        deadline.start(.body, now: start, settings: settings)
        deadline.stop()
        #expect(!deadline.isExpired(now: start + .hours(1000)))
        #expect(deadline.reason == nil)
    }

    @Test("a reader that takes something is slow, one that takes nothing is suspicious after half of the time")
    func suspicion() {
        var progress = WriteProgress()
        let timeout = TimeAmount.seconds(10)
        func isSuspicious(_ pending: Int, after seconds: Int64) -> Bool {
            progress.isSuspicious(pending: pending, now: start + .seconds(seconds), timeout: timeout)
        }
        #expect(!isSuspicious(1000, after: 0))
        #expect(!isSuspicious(1000, after: 4))
        // One byte starts the time anew.
        #expect(!isSuspicious(999, after: 4))
        // More to send is no progress of the reader's.
        #expect(!isSuspicious(5000, after: 8))
        #expect(isSuspicious(5000, after: 9))
        // Nothing to send is nothing to wait for.
        #expect(!isSuspicious(0, after: 50))
        #expect(!isSuspicious(10, after: 60))
    }

    @Test("what waits in the kernel decides: a reader is cut that has taken nothing from there either")
    func confirmation() {
        var progress = WriteProgress()
        func isStalled(_ bytes: Int?) -> Bool { progress.isStalled(inKernel: bytes, now: start) }
        #expect(!isStalled(4096))
        #expect(!isStalled(4095))
        #expect(isStalled(4095))
        var silent = WriteProgress()
        func isStalledWithoutNumbers() -> Bool { silent.isStalled(inKernel: nil, now: start) }
        // Without a kernel that tells, the whole time without progress decides.
        #expect(!isStalledWithoutNumbers())
        #expect(isStalledWithoutNumbers())
    }
}
