import GatewayCore

/// Finds out which signals of other instances were missed. Every instance numbers its own, from 1 on.
struct SignalSequences {
    private struct Sender {
        /// Signals up to this one need not be missed: older than this instance's interest, or told as missed.
        var settled: UInt64
        /// The newest that was received.
        var received: UInt64 = 0
        /// What the newest heartbeat told, if it was more than was received: a signal may be slower than a heartbeat, but not by two.
        var announced: UInt64?
    }

    private var senders: [InstanceIdentity: Sender] = [:]

    enum Verdict: Equatable {
        case deliver
        /// Some before it were missed.
        case deliverAfterGap
        case drop
    }

    mutating func received(_ number: UInt64, from identity: InstanceIdentity) -> Verdict {
        var sender = senders[identity] ?? Sender(settled: 0)
        guard number > sender.received else { return .drop }
        let isGap = number > max(sender.received, sender.settled) + 1
        sender.received = number
        senders[identity] = sender
        return isGap ? .deliverAfterGap : .deliver
    }

    /// What a heartbeat tells of the others: the number of the newest signal of each.
    /// - Returns: those whose signals were missed.
    mutating func heard(of others: [(identity: InstanceIdentity, newest: UInt64)]) -> [InstanceIdentity] {
        var missed: [InstanceIdentity] = []
        var known: [InstanceIdentity: Sender] = [:]
        for (identity, newest) in others {
            guard var sender = senders[identity] else {
                known[identity] = Sender(settled: newest)
                continue
            }
            if let announced = sender.announced, announced > max(sender.received, sender.settled) {
                sender.settled = announced
                missed.append(identity)
            }
            sender.announced = newest > max(sender.received, sender.settled) ? newest : nil
            known[identity] = sender
        }
        senders = known
        return missed
    }
}
