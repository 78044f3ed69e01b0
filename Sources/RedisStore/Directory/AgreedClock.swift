import GatewayCore
import NIOCore
import Synchronization

/// The time that all instances agree on, which is Redis's: this machine's, and how far that is off. What one instance signs, seals or dates, the
/// others check, and their clocks may differ by minutes.
final class AgreedClock: Sendable {
    /// Smaller differences are the way's, not the clocks'.
    private static let noise: Int64 = 100
    private let own: GatewayClock
    /// Milliseconds that Redis is ahead.
    private let offset = Atomic<Int64>(0)

    init(own: GatewayClock) { self.own = own }

    var clock: GatewayClock {
        GatewayClock { WallTime(milliseconds: self.own.now().milliseconds + self.offset.load(ordering: .relaxed)) }
    }

    /// Redis told its time.
    ///
    /// - Parameters:
    ///   - time: milliseconds since 1970 there.
    ///   - roundTrip: between the question and now; half of it ago is taken for the moment of the answer.
    func heard(_ time: Int64, roundTrip: TimeAmount) {
        let found = time + roundTrip.nanoseconds / 2_000_000 - own.now().milliseconds
        guard abs(found - offset.load(ordering: .relaxed)) >= Self.noise else { return }
        offset.store(found, ordering: .relaxed)
    }
}
