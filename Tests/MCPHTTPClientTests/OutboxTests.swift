import Testing

@testable import MCPHTTPClient

@Suite("Outbox")
struct OutboxTests {
    @Test("requests and responses go at once, side by side with a notification")
    func messages() {
        var outbox = Outbox<Int>(limit: 2)
        #expect(outbox.offer(1, kind: .message) == .send)
        #expect(outbox.offer(2, kind: .notification) == .send)
        #expect(outbox.offer(3, kind: .message) == .send)
    }

    @Test("notifications go one after the other")
    func notifications() {
        var outbox = Outbox<Int>(limit: 2)
        #expect(outbox.offer(1, kind: .notification) == .send)
        #expect(outbox.offer(2, kind: .notification) == .queued)
        #expect(outbox.offer(3, kind: .notification) == .queued)
        #expect(outbox.offer(4, kind: .notification) == .full)
        #expect(outbox.notificationAccepted() == [2])
        #expect(outbox.notificationAccepted() == [3])
        #expect(outbox.notificationAccepted() == [])
        #expect(outbox.offer(5, kind: .notification) == .send)
    }

    @Test("nothing overtakes notifications/initialized")
    func barrier() {
        var outbox = Outbox<Int>(limit: 9)
        #expect(outbox.offer(1, kind: .notification) == .send)
        #expect(outbox.offer(2, kind: .initialized) == .queued)
        #expect(outbox.offer(3, kind: .message) == .queued)
        #expect(outbox.offer(4, kind: .notification) == .queued)
        #expect(outbox.offer(5, kind: .message) == .queued)
        #expect(outbox.notificationAccepted() == [2])
        #expect(outbox.offer(6, kind: .message) == .queued)
        #expect(outbox.notificationAccepted() == [3, 4, 5, 6])
        #expect(outbox.offer(7, kind: .message) == .send)
    }

    @Test("emptying it lifts the barrier")
    func emptying() {
        var outbox = Outbox<Int>(limit: 9)
        #expect(outbox.offer(1, kind: .initialized) == .send)
        #expect(outbox.offer(2, kind: .message) == .queued)
        #expect(outbox.removeAll() == [2])
        #expect(outbox.offer(3, kind: .message) == .send)
    }
}
