import DequeModule
import NIOConcurrencyHelpers

/// Lets completions run in the order of the calls, whatever order the answers come in.
///
/// Answers come in order as long as the connection stands. When it broke, some calls are repeated: those behind them wait.
final class CompletionLine: Sendable {
    private struct State {
        /// What the calls in line run when it is their turn; nil while they have no outcome. The first is the call `first`.
        var entries: Deque<(@Sendable () -> Void)?> = []
        var first: UInt64 = 0
        var isDelivering = false
    }

    private let state = NIOLockedValueBox(State())

    /// Takes the place at the end of the line.
    func enter() -> UInt64 {
        state.withLockedValue { state in
            state.entries.append(nil)
            return state.first + UInt64(state.entries.count) - 1
        }
    }

    /// Gives a call its outcome, and runs what has come to its turn, on this thread or on the one that is at it already.
    func finish(_ place: UInt64, _ completion: @escaping @Sendable () -> Void) {
        let delivers = state.withLockedValue { state in
            state.entries[Int(place - state.first)] = completion
            guard !state.isDelivering, place == state.first else { return false }
            state.isDelivering = true
            return true
        }
        guard delivers else { return }
        while let next = takeNext() { next() }
    }

    private func takeNext() -> (@Sendable () -> Void)? {
        state.withLockedValue { state in
            guard let head = state.entries.first, let next = head else {
                state.isDelivering = false
                return nil
            }
            state.entries.removeFirst()
            state.first += 1
            return next
        }
    }

    /// Calls without an outcome, and those behind them.
    var count: Int { state.withLockedValue { $0.entries.count } }
}
