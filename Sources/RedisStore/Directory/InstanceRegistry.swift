import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What this instance knows of itself and the others.
final class InstanceRegistry: Sendable {
    struct State {
        var clock: LeaseClock
        var peers: [InstanceRecord] = []
        var isDraining = false
        /// The id of the data in Redis, as this instance knows it.
        var dataID: String
        /// Whether a heartbeat is on its way.
        var isBeating = false
        /// Another one is to follow at once.
        var mustBeatAgain = false
        /// Tests stop the heartbeats, as a frozen process would.
        var isFrozen = false
        var toldOtherSecret = false
    }

    let state: NIOLockedValueBox<State>
    private let replaced = Atomic(false)

    init(lease: TimeAmount, dataID: String) {
        state = NIOLockedValueBox(State(clock: LeaseClock(length: lease), dataID: dataID))
    }

    var isReplaced: Bool { replaced.load(ordering: .relaxed) }

    /// - Returns: true for the first call.
    func markReplaced() -> Bool {
        state.withLockedValue { $0.clock.replaced() }
        return !replaced.exchange(true, ordering: .relaxed)
    }
}
