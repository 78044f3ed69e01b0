/// Admits each numbered request of an instance once. Numbers may come out of order, as requests on several connections do; one that is further
/// behind than the window is wide is not admitted, because it is not known any more whether it was here. (The anti-replay window of RFC 4303, section 3.4.3.)
struct ReplayGuard {
    private struct Window {
        /// Bits that stand for the last numbers.
        static let size: UInt64 = 1 << 16

        private var seen = [UInt64](repeating: 0, count: Int(size / 64))
        private var highest: UInt64 = 0
        private(set) var lastUsed: WallTime

        init(now: WallTime) { lastUsed = now }

        mutating func admits(_ number: UInt64, now: WallTime) -> Bool {
            lastUsed = max(lastUsed, now)
            if number > highest {
                if number - highest >= Self.size {
                    for word in seen.indices { seen[word] = 0 }
                } else {
                    for skipped in highest + 1...number { seen[word(of: skipped)] &= ~bit(of: skipped) }
                }
                highest = number
            } else if highest - number >= Self.size {
                return false
            }
            guard seen[word(of: number)] & bit(of: number) == 0 else { return false }
            seen[word(of: number)] |= bit(of: number)
            return true
        }

        private func word(of number: UInt64) -> Int { Int(number % Self.size / 64) }
        private func bit(of number: UInt64) -> UInt64 { 1 << (number % 64) }
    }

    private let memory: Duration
    private var windows: [String: Window] = [:]

    /// - Parameter memory: how long after its last request a sender is remembered; what is older must be refused for its age.
    init(memory: Duration) { self.memory = memory }

    /// - Parameter sender: one life of an instance (``InstanceIdentity/description``), which counts from 1.
    mutating func admits(_ number: UInt64, of sender: String, now: WallTime) -> Bool {
        if windows[sender] == nil {
            windows = windows.filter { $0.value.lastUsed >= now - memory }
        }
        return windows[sender, default: Window(now: now)].admits(number, now: now)
    }
}
