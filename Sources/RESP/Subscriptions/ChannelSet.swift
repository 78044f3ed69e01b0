/// The channels of a subscription, and which of them the server has confirmed: a state machine without I/O.
struct ChannelSet: Sendable {
    /// What is to be subscribed.
    private(set) var wanted: Set<String> = []
    private var confirmed: Set<String> = []
    /// SUBSCRIBE commands without confirmation, for each channel.
    private var unanswered: [String: Int] = [:]

    /// Whether the server owes confirmations.
    var isWaiting: Bool { !unanswered.isEmpty }
    var isConfirmed: Bool { confirmed.count == wanted.count }

    func isWanted(_ channel: String) -> Bool { wanted.contains(channel) }
    func isConfirmed(_ channel: String) -> Bool { confirmed.contains(channel) }

    /// Those of the channels that are new.
    mutating func add(_ channels: [String]) -> [String] { channels.filter { wanted.insert($0).inserted } }

    /// Those of the channels that were there.
    mutating func remove(_ channels: [String]) -> [String] {
        channels.filter {
            confirmed.remove($0)
            return wanted.remove($0) != nil
        }
    }

    /// A SUBSCRIBE for the channels was written.
    mutating func sent(_ channels: some Collection<String>) {
        for channel in channels { unanswered[channel, default: 0] += 1 }
    }

    /// The server has confirmed one SUBSCRIBE for a channel; whether that was the last and the channel is still wanted.
    mutating func confirm(_ channel: String) -> Bool {
        guard let count = unanswered[channel] else { return false }
        // An UNSUBSCRIBE may be between two of them: only the last says that messages come from now on.
        guard count == 1 else {
            unanswered[channel] = count - 1
            return false
        }
        unanswered[channel] = nil
        guard wanted.contains(channel) else { return false }
        confirmed.insert(channel)
        return true
    }

    mutating func connectionLost() {
        confirmed = []
        unanswered = [:]
    }
}
