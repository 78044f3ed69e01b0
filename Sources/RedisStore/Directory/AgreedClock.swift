import GatewayCore
import NIOCore
import Synchronization

/// The time that all instances agree on, which is Redis's. What one instance signs, seals or dates, the others check, and the clocks of their machines
/// may differ by minutes, and may be set. Between two heartbeats it goes on by the monotonic clock.
final class AgreedClock: Sendable {
    /// Smaller differences are the way's, not the clocks'.
    private static let noise: Int64 = 100
    private let monotonic: @Sendable () -> Int64
    /// Milliseconds between the monotonic clock and Redis's.
    private let offset: Atomic<Int64>

    /// - Parameters:
    ///   - own: what counts until Redis has told its time.
    ///   - monotonic: milliseconds.
    init(own: GatewayClock, monotonic: @escaping @Sendable () -> Int64 = { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }) {
        self.monotonic = monotonic
        offset = Atomic(own.now().milliseconds - monotonic())
    }

    var clock: GatewayClock {
        GatewayClock { WallTime(milliseconds: self.monotonic() + self.offset.load(ordering: .relaxed)) }
    }

    /// Redis told its time.
    ///
    /// - Parameters:
    ///   - time: milliseconds since 1970 there.
    ///   - roundTrip: between the question and now; half of it ago is taken for the moment of the answer.
    ///
    /// - Returns: by how many milliseconds the time is another than it was taken for; 0 for what is noise.
    @discardableResult
    func heard(_ time: Int64, roundTrip: TimeAmount) -> Int64 {
        let found = time + roundTrip.nanoseconds / 2_000_000 - monotonic()
        let jump = found - offset.load(ordering: .relaxed)
        guard abs(jump) >= Self.noise else { return 0 }
        offset.store(found, ordering: .relaxed)
        return jump
    }
}
