/// The id of an SSE event: `<stream>.<sequence>`.
public struct EventID: Sendable, Hashable, CustomStringConvertible {
    public let stream: StreamID
    /// 0 stands for the beginning of the stream (a priming event).
    public let sequence: UInt64

    public init(stream: StreamID, sequence: UInt64) {
        self.stream = stream
        self.sequence = sequence
    }

    /// Reads a `Last-Event-ID`; nil for what this gateway never gave out.
    public init?(_ text: some StringProtocol) {
        guard let dot = text.lastIndex(of: "."), text.utf8.count <= 64 else { return nil }
        let stream = text[..<dot]
        let digits = text[text.index(after: dot)...]
        guard !stream.isEmpty, stream.utf8.allSatisfy({ $0 &- 0x30 < 10 || $0 &- 0x61 < 26 }), !digits.isEmpty,
            digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let sequence = UInt64(digits)
        else { return nil }
        self.init(stream: StreamID(String(stream)), sequence: sequence)
    }

    public var description: String { "\(stream.value).\(sequence)" }
}
