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

    @Test("a reader that takes something is slow, one that takes nothing is stalled")
    func progress() {
        var progress = WriteProgress()
        let timeout = TimeAmount.seconds(10)
        let found49 = progress.isStalled(pending: 1000, now: start, timeout: timeout)
        #expect(!found49)
        let found51 = progress.isStalled(pending: 1000, now: start + .seconds(9), timeout: timeout)
        #expect(!found51)
        // One byte starts the time anew.
        let found54 = progress.isStalled(pending: 999, now: start + .seconds(9), timeout: timeout)
        #expect(!found54)
        // More to send is no progress of the reader's.
        let found57 = progress.isStalled(pending: 5000, now: start + .seconds(18), timeout: timeout)
        #expect(!found57)
        let found59 = progress.isStalled(pending: 5000, now: start + .seconds(19), timeout: timeout)
        #expect(found59)
    }

    @Test("nothing to send is nothing to wait for")
    func empty() {
        var progress = WriteProgress()
        let found66 = progress.isStalled(pending: 10, now: start, timeout: .seconds(1))
        #expect(!found66)
        let found68 = progress.isStalled(pending: 0, now: start + .seconds(5), timeout: .seconds(1))
        #expect(!found68)
        let found70 = progress.isStalled(pending: 10, now: start + .seconds(50), timeout: .seconds(1))
        #expect(!found70)
    }
}
