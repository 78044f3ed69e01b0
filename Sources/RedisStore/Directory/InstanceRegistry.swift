import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What this instance knows of itself and the others.
final class InstanceRegistry: Sendable {
    struct State {
        var clock: LeaseClock
        var peers: [InstanceRecord] = []
        /// Those that Redis tells of with an address that is none.
        var unaddressed: Set<InstanceIdentity> = []
        /// Those that tell the address of this one, since when, and whether that was logged.
        var twins: [InstanceIdentity: (since: NIODeadline, isTold: Bool)] = [:]
        /// Until then those that Redis does not tell of are kept: it was away, or came back empty, and they have yet to be heard of again.
        var keepsPeersUntil = NIODeadline.uptimeNanoseconds(0)
        var isDraining = false
        /// The id of the data in Redis, as this instance knows it.
        var dataID: String
        /// Whether a heartbeat is on its way.
        var isBeating = false
        /// Another one is to follow at once.
        var mustBeatAgain = false
        /// Tests stop the heartbeats, as a frozen process would.
        var isFrozen = false
        /// Redis has another secret than this instance.
        var hasOtherSecret = false
        /// A heartbeat was taken.
        var hasHeard = false
        /// The newest heartbeat was not taken.
        var isRefused = false
    }

    let state: NIOLockedValueBox<State>
    private let lease: TimeAmount
    private let replaced = Atomic(false)

    init(lease: TimeAmount, dataID: String) {
        self.lease = lease
        state = NIOLockedValueBox(State(clock: LeaseClock(length: lease), dataID: dataID))
    }

    /// Redis told who lives.
    ///
    /// - Parameter wasAway: it had not been heard of for the time of the lease, or has lost its data.
    func heard(_ found: [InstanceRecord], wasAway: Bool, now: NIODeadline) {
        state.withLockedValue { state in
            if wasAway { state.keepsPeersUntil = now + lease }
            var peers = found
            if now < state.keepsPeersUntil {
                peers += state.peers.filter { old in !found.contains { $0.identity.name == old.identity.name } }
            }
            state.peers = peers.sorted { $0.identity.name < $1.identity.name }
        }
    }

    var isReplaced: Bool { replaced.load(ordering: .relaxed) }

    /// - Returns: true for the first call.
    func markReplaced() -> Bool {
        state.withLockedValue { $0.clock.replaced() }
        return !replaced.exchange(true, ordering: .relaxed)
    }
}
