import DequeModule
import NIOConcurrencyHelpers

/// The calls for one stream that have no outcome yet, in the order in which they were asked for.
///
/// When the connection breaks, some calls were executed and some not, and what is sent again comes after what waited for the new connection.
/// So an append names the event that must be there before it; Redis refuses it where that is missing (`gap`), and it waits here until those
/// before it are done. A read that was answered before an earlier append was executed is asked again.
struct StreamLane {
    private struct Item {
        let number: UInt64
        /// Of an append; 0 for other calls.
        let sequence: UInt64
        var isWaiting = false
    }

    private var items: Deque<Item> = []

    var isEmpty: Bool { items.isEmpty }

    mutating func enter(_ number: UInt64, sequence: UInt64) { items.append(Item(number: number, sequence: sequence)) }

    /// The event that must be there before that of an append; 0 for any.
    func previous(of number: UInt64) -> UInt64 {
        var previous: UInt64 = 0
        for item in items {
            if item.number == number { return previous }
            if item.sequence > 0 { previous = item.sequence }
        }
        return 0
    }

    func isFirst(_ number: UInt64) -> Bool { items.first?.number == number }

    /// Lets a call wait for those before it; false when there are none.
    mutating func wait(_ number: UInt64) -> Bool {
        guard let index = items.firstIndex(where: { $0.number == number }), index > 0 else { return false }
        items[index].isWaiting = true
        return true
    }

    /// A call has its outcome.
    /// - Returns: the calls that waited for it, to be sent again in this order.
    mutating func leave(_ number: UInt64) -> [UInt64] {
        guard let index = items.firstIndex(where: { $0.number == number }) else { return [] }
        items.remove(at: index)
        // Once the first may go, those behind it may: each names the one before it.
        guard index == 0, items.first?.isWaiting == true else { return [] }
        var released: [UInt64] = []
        for index in items.indices where items[index].isWaiting {
            items[index].isWaiting = false
            released.append(items[index].number)
        }
        return released
    }
}

/// The lanes of all streams that have calls under way.
final class StreamLanes: Sendable {
    private struct State {
        var lanes: [StreamKey: StreamLane] = [:]
        var nextNumber: UInt64 = 1
        /// What sends a call again that waits.
        var waiting: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = NIOLockedValueBox(State())

    func enter(_ key: StreamKey, sequence: UInt64 = 0) -> UInt64 {
        state.withLockedValue { state in
            defer { state.nextNumber += 1 }
            state.lanes[key, default: StreamLane()].enter(state.nextNumber, sequence: sequence)
            return state.nextNumber
        }
    }

    func previous(_ key: StreamKey, of number: UInt64) -> UInt64 {
        state.withLockedValue { $0.lanes[key]?.previous(of: number) ?? 0 }
    }

    /// Whether no call for the stream was asked for before this one that has no outcome yet.
    func isFirst(_ key: StreamKey, _ number: UInt64) -> Bool { state.withLockedValue { $0.lanes[key]?.isFirst(number) ?? true } }

    /// Calls `resume` when the calls before this one are done; false, and never, when they are.
    func wait(_ key: StreamKey, _ number: UInt64, resume: @escaping @Sendable () -> Void) -> Bool {
        state.withLockedValue { state in
            guard state.lanes[key]?.wait(number) == true else { return false }
            state.waiting[number] = resume
            return true
        }
    }

    func leave(_ key: StreamKey, _ number: UInt64) {
        let resumed = state.withLockedValue { state -> [@Sendable () -> Void] in
            guard let released = state.lanes[key]?.leave(number) else { return [] }
            if state.lanes[key]?.isEmpty == true { state.lanes[key] = nil }
            return released.compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for resume in resumed { resume() }
    }
}
