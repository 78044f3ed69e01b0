import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("How many notifications may be on their way")
struct NotificationWindowTests {
    private let full = NotificationWindow.maximumMessages

    @Test("nothing happens below half, a fence is sent at half, reading stops when it is full and goes on behind the fence")
    func phases() {
        var window = NotificationWindow()
        for _ in 1..<full / 2 { #expect(window.received(messages: 1, bytes: 1) == .nothing) }
        #expect(window.received(messages: 1, bytes: 1) == .init(startsFence: true))
        for _ in 1..<full / 2 { #expect(window.received(messages: 1, bytes: 1) == .nothing) }
        #expect(window.received(messages: 1, bytes: 1) == .init(reading: false))
        // What was read already comes all the same.
        #expect(window.received(messages: 10, bytes: 10) == .nothing)
        // Behind the fence are the first half: the rest is more than half, and needs a fence of its own.
        #expect(window.fencePassed() == .init(startsFence: true, reading: true))
        #expect(window.fencePassed() == .nothing)
        #expect(!window.isPaused)
    }

    @Test("one notification to very many clients stops reading until all of it has passed")
    func overshoot() {
        var window = NotificationWindow()
        #expect(window.received(messages: full / 2, bytes: 0) == .init(startsFence: true))
        #expect(window.received(messages: 10 * full, bytes: 0) == .init(reading: false))
        #expect(window.fencePassed() == .init(startsFence: true))
        #expect(window.isPaused)
        #expect(window.fencePassed() == .init(reading: true))
    }

    @Test("bytes count as messages do")
    func bytes() {
        var window = NotificationWindow()
        #expect(window.received(messages: 1, bytes: NotificationWindow.maximumBytes) == .init(startsFence: true, reading: false))
        #expect(window.fencePassed() == .init(reading: true))
    }

    @Test("a server that was started anew is read, and a fence of before counts for what it was sent for")
    func restart() {
        var window = NotificationWindow()
        #expect(window.received(messages: full, bytes: 0) == .init(startsFence: true, reading: false))
        window.restarted()
        #expect(!window.isPaused)
        #expect(window.received(messages: 1, bytes: 0) == .init(reading: false))
        #expect(window.fencePassed() == .init(reading: true))
    }

    @Test("a fence that nobody sent changes nothing")
    func unexpected() {
        var window = NotificationWindow()
        #expect(window.fencePassed() == .nothing)
    }

    @Test("a log that does not keep up makes a flooding server wait, and its notifications arrive whole and in order")
    func backpressure() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let session = try bench.session()
        let subscriber = try bench.listen(session)
        session.state.withLockedValue { $0.logLevel = .debug }
        let link = server.link
        for number in 0..<3 * full {
            link.receive(
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\(number)}}")
            // The loop runs, the log does not.
            bench.loop.run()
        }
        #expect(link.reading == [false])
        #expect(subscriber.events.isEmpty)
        bench.settle()
        #expect(link.reading == [false, true])
        #expect(subscriber.events.count == 3 * full)
        #expect(subscriber.sequences == (1...UInt64(3 * full)).map { $0 })
    }

    @Test("a notification to many sessions counts for each of them")
    func recipients() throws {
        let server = ScriptedServer.tools("s", ["t"])
        let bench = GatewayBench([server])
        let subscribers = try (0..<100).map { _ in try bench.listen(try bench.session()) }
        let link = server.link
        for _ in 0..<20 {
            link.receive(#"{"jsonrpc":"2.0","method":"notifications/custom"}"#)
            bench.loop.run()
        }
        #expect(link.reading == [false])
        bench.settle()
        #expect(link.reading == [false, true])
        #expect(subscribers.map(\.events.count) == Array(repeating: 20, count: 100))
    }
}

@Suite("Log lines that others cause")
struct LogThrottleTests {
    @Test("the first ones of a span pass, the rest are counted and told with the first of the next")
    func counts() {
        var throttle = LogThrottle(limit: 2, span: .seconds(1))
        let start = NIODeadline.uptimeNanoseconds(5)
        #expect(throttle.pass(at: start) == 0)
        #expect(throttle.pass(at: start) == 0)
        for _ in 0..<7 { #expect(throttle.pass(at: start + .milliseconds(999)) == nil) }
        #expect(throttle.pass(at: start + .seconds(1)) == 7)
        #expect(throttle.pass(at: start + .seconds(1)) == 0)
        #expect(throttle.pass(at: start + .seconds(1)) == nil)
    }
}
