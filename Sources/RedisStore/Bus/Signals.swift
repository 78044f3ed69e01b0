import Synchronization
import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import RESP

/// The signals between instances: one channel of Redis's publish and subscribe for all. Everything that is received runs on the event loop.
final class Signals: Sendable {
    private struct State {
        var sequences = SignalSequences()
        var handler: (any BusHandler)?
        var subscription: RedisSubscription?
    }

    private let state = NIOLockedValueBox(State())
    private let newest = NIOLockedValueBox<UInt64>(0)
    private let own: InstanceIdentity
    private let channel: String
    private let client: RedisClient
    private let counters: StoreCounters

    init(own: InstanceIdentity, channel: String, client: RedisClient, counters: StoreCounters) {
        self.own = own
        self.channel = channel
        self.client = client
        self.counters = counters
    }

    /// The number of the newest signal of this instance, sent or lost.
    var newestSent: UInt64 { newest.withLockedValue { $0 } }

    func set(_ handler: any BusHandler) { state.withLockedValue { $0.handler = handler } }

    /// - Parameter isLost: Redis is away: the signal takes its number all the same, so that the others notice.
    func publish(_ message: BusMessage, isLost: Bool) {
        newest.withLockedValue { number in
            number += 1
            guard !isLost else { return }
            // Under the lock, so that they are sent in the order of their numbers. Nobody waits for the outcome.
            _ = client.send(
                RedisCommand(
                    "PUBLISH", .text(channel), .bytes(SignalEnvelope(sender: own, number: number, message: message).bytes)))
        }
    }

    func subscribe() {
        let subscription = client.subscribe([channel]) { [weak self] _, bytes in
            self?.received(bytes)
        } onState: { [weak self] state in
            if case .subscribed(isResumed: true) = state { self?.missed(nil) }
        }
        state.withLockedValue { $0.subscription = subscription }
    }

    func unsubscribe() { state.withLockedValue { $0.subscription }?.cancel() }

    private func received(_ bytes: ByteBuffer) {
        guard let signal = SignalEnvelope(bytes), signal.sender != own else { return }
        let (verdict, handler) = state.withLockedValue { ($0.sequences.received(signal.number, from: signal.sender), $0.handler) }
        guard verdict != .drop else { return }
        counters.receivedSignals.add()
        if verdict == .deliverAfterGap { missed(signal.sender) }
        handler?.received(signal.message, from: signal.sender)
    }

    /// What a heartbeat told of the others; on the event loop.
    func heard(of others: [(identity: InstanceIdentity, newest: UInt64)]) {
        for identity in state.withLockedValue({ $0.sequences.heard(of: others) }) { missed(identity) }
    }

    private func missed(_ sender: InstanceIdentity?) {
        counters.missedSignals.add()
        state.withLockedValue { $0.handler }?.missedMessages(from: sender)
    }
}
