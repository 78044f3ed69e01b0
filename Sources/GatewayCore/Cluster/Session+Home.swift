import NIOConcurrencyHelpers

/// A session and the instance it is at home at.
extension Session {
    /// The lease under which it was last known to be at home here.
    var leaseGeneration: UInt64 { state.withLockedValue { $0.leaseGeneration } }

    func confirm(generation: UInt64) { state.withLockedValue { $0.leaseGeneration = generation } }

    /// Nothing is in progress that ends by itself. Clients that only listen connect again.
    var isQuiet: Bool {
        state.withLockedValue { $0.exchangeCount == 0 && $0.unsolicited == nil }
    }
}
