import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A value that tests wait on: a condition is looked at when the value changes, until a deadline.
final class Monitor<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var waiters: [UInt64: @Sendable (inout Value) -> Bool] = [:]
        var next: UInt64 = 0
    }

    private let state: NIOLockedValueBox<State>

    init(_ value: Value) { state = NIOLockedValueBox(State(value: value)) }

    var value: Value { state.withLockedValue { $0.value } }

    func update(_ change: (inout Value) -> Void) {
        state.withLockedValue { state in
            change(&state.value)
            for (key, isDone) in state.waiters.sorted(by: { $0.key < $1.key }) where isDone(&state.value) {
                state.waiters.removeValue(forKey: key)
            }
        }
    }

    /// Waits until `body` gives something, which it may take out of the value.
    func wait<Found: Sendable>(for what: String, _ body: @escaping @Sendable (inout Value) -> Found?) async throws -> Found {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Found.self)
        let key = state.withLockedValue { state -> UInt64 in
            state.next += 1
            let attempt: @Sendable (inout Value) -> Bool = { value in
                guard let found = body(&value) else { return false }
                promise.succeed(found)
                return true
            }
            if !attempt(&state.value) { state.waiters[state.next] = attempt }
            return state.next
        }
        let timer = loop.scheduleTask(in: .seconds(60)) {
            let wasWaiting = self.state.withLockedValue { $0.waiters.removeValue(forKey: key) != nil }
            if wasWaiting { promise.fail(TimedOut(what: what, last: "\(self.value)")) }
        }
        defer { timer.cancel() }
        return try await promise.futureResult.get()
    }

    func wait(until what: String, _ condition: @escaping @Sendable (Value) -> Bool) async throws {
        try await wait(for: what) { condition($0) ? () : nil }
    }
}

/// A condition did not come true within a minute.
struct TimedOut: Error, CustomStringConvertible {
    let what: String
    let last: String
    var description: String { "timed out waiting for \(what); last seen: \(last.prefix(600))" }
}
