import MCPHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Remembers what a client reports and lets a test wait for it.
final class Recorder: StreamableHTTPClientDelegate {
    enum Event: Sendable, Hashable {
        case message(String)
        case failed(UInt64, StreamableHTTPError)
        case sessionEnded
    }

    struct TimedOut: Error, CustomStringConvertible {
        let events: [Event]
        var description: String { "the awaited events did not come; seen: \(events)" }
    }

    private struct State {
        var events: [Event] = []
        var waiters: [(id: Int, condition: @Sendable ([Event]) -> Bool, promise: EventLoopPromise<[Event]>)] = []
        var nextID = 0
    }

    private let state = NIOLockedValueBox(State())

    var events: [Event] { state.withLockedValue { $0.events } }

    func client(_ client: StreamableHTTPClient, received message: ByteBuffer) { add(.message(String(buffer: message))) }
    func client(_ client: StreamableHTTPClient, requestFailed token: UInt64, _ error: StreamableHTTPError) { add(.failed(token, error)) }
    func clientSessionEnded(_ client: StreamableHTTPClient) { add(.sessionEnded) }

    /// The events once there are `count` of them.
    @discardableResult
    func wait(for count: Int) async throws -> [Event] { try await wait { $0.count >= count } }

    @discardableResult
    func wait(until condition: @escaping @Sendable ([Event]) -> Bool) async throws -> [Event] {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: [Event].self)
        let id = state.withLockedValue { state -> Int in
            state.nextID += 1
            state.waiters.append((state.nextID, condition, promise))
            return state.nextID
        }
        check()
        let deadline = loop.scheduleTask(in: .seconds(60)) {
            let isWaiting = self.state.withLockedValue { state -> Bool in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return false }
                state.waiters.remove(at: index)
                return true
            }
            if isWaiting { promise.fail(TimedOut(events: self.events)) }
        }
        defer { deadline.cancel() }
        return try await promise.futureResult.get()
    }

    private func add(_ event: Event) {
        state.withLockedValue { $0.events.append(event) }
        check()
    }

    private func check() {
        let (events, ready) = state.withLockedValue { state in
            let events = state.events
            let ready = state.waiters.filter { $0.condition(events) }
            state.waiters.removeAll { $0.condition(events) }
            return (events, ready)
        }
        for waiter in ready { waiter.promise.succeed(events) }
    }
}
