import NIOCore

/// How a POST is answered (DESIGN, decision 3): JSON while only results have come, an SSE stream from the first other event or the end of
/// the wait on. Pure: it says what to do.
struct PostResponse {
    /// What the responder is to do.
    enum Action {
        case nothing
        /// Answer with these messages: one, or the elements of a batch.
        case json([ByteBuffer])
        /// Open a stream and append these; `ends` when that is all.
        case openStream([ByteBuffer], ends: Bool)
        /// Append to the stream.
        case append(ByteBuffer, ends: Bool)
    }

    private enum Phase {
        case collecting([ByteBuffer])
        case streaming
        case done
    }

    private var phase = Phase.collecting([])
    private var outstanding: Int
    private let mayStream: Bool

    /// - Parameters:
    ///   - requests: how many responses are owed.
    ///   - mayStream: false keeps to JSON whatever comes.
    init(requests: Int, mayStream: Bool) {
        outstanding = requests
        self.mayStream = mayStream
    }

    var isCollecting: Bool {
        if case .collecting = phase { return true }
        return false
    }

    mutating func receive(_ message: ByteBuffer, isFinal: Bool) -> Action {
        if isFinal { outstanding -= 1 }
        switch phase {
        case .collecting(var collected):
            if isFinal {
                // Emptied first: an array that two hold is copied by the append.
                phase = .done
                collected.append(message)
                if outstanding == 0 { return .json(collected) }
                phase = .collecting(collected)
                return .nothing
            }
            // Without streams there is no way to pass on anything but the result.
            guard mayStream else { return .nothing }
            phase = .streaming
            return .openStream(collected + [message], ends: false)
        case .streaming:
            if outstanding == 0 { phase = .done }
            return .append(message, ends: outstanding == 0)
        case .done:
            return .nothing
        }
    }

    mutating func waitIsOver() -> Action {
        guard mayStream, case .collecting(let collected) = phase else { return .nothing }
        phase = .streaming
        return .openStream(collected, ends: false)
    }
}
