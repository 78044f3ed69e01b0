/// Names a stream inside its session. Unique over the life of the session, restarts included.
public struct StreamID: Sendable, Hashable, CustomStringConvertible {
    public let value: String
    public init(_ value: String) { self.value = value }
    public var description: String { value }
}

extension StreamID {
    /// What a stream id begins with; the rest is random.
    enum Prefix: String {
        /// The answer to a POST.
        case exchange = "e"
        /// A GET stream.
        case listening = "l"
        /// A listening stream that was begun by a message while no GET stream had ever been open: whatever it holds is undelivered.
        case waiting = "u"
        /// The feed of a session.
        case feed = "f"
    }

    static func random(_ prefix: Prefix) -> StreamID {
        let letters: StaticString = "abcdefghijklmnopqrstuvwxyz234567"
        var bits = UInt64.random(in: .min ... .max)
        var text = prefix.rawValue
        for _ in 0..<12 {
            text.unicodeScalars.append(Unicode.Scalar(letters.utf8Start[Int(bits & 31)]))
            bits >>= 5
        }
        return StreamID(text)
    }

    var wasBegunWaiting: Bool { value.hasPrefix(Prefix.waiting.rawValue) }
}
