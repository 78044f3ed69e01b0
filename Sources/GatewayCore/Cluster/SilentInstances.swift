import NIOConcurrencyHelpers
import NIOCore

/// Instances that took a request and did not begin to answer it while nobody could say whether they live, because the store is away: frozen ones, it
/// may be. For a while they are asked for nothing more.
final class SilentInstances: Sendable {
    /// How long one is left alone.
    static let pause = TimeAmount.seconds(10)

    private let until = NIOLockedValueBox<[InstanceIdentity: NIODeadline]>([:])

    func add(_ instance: InstanceIdentity, now: NIODeadline = .now()) {
        until.withLockedValue { until in
            until = until.filter { $0.value > now }
            until[instance] = now + Self.pause
        }
    }

    func contains(_ instance: InstanceIdentity, now: NIODeadline = .now()) -> Bool {
        until.withLockedValue { until in until[instance].map { $0 > now } ?? false }
    }
}
