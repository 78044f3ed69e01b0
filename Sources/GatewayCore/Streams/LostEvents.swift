import MCPProtocol
import NIOCore

/// How a client that resumes a stream learns that events are missing: by a log message of the gateway in their place.
///
/// It is told whatever log level the client has set, because what is missing may have mattered. It has no id: the position of the client stays
/// that of the event before the gap.
enum LostEvents {
    /// - Parameter sequences: the numbers of the missing events.
    static func notice(_ sequences: ClosedRange<UInt64>) -> StreamEvent {
        let events = sequences.count == 1 ? "event \(sequences.lowerBound)" : "events \(sequences.lowerBound) to \(sequences.upperBound)"
        var params = ByteBuffer(string: "{\"level\":\"error\",\"logger\":\"mcp-gateway\",\"data\":")
        params.writeJSONString(
            "\(events) of this stream cannot be sent again: the event log has dropped them (streams.maxEventsPerStream, "
                + "streams.maxBytesPerStream, streams.retention) or could not write them")
        params.writeStaticString("}")
        let message = MessageWriter.notification(method: Method.loggingMessage.name, params: params)
        return StreamEvent(sequence: sequences.upperBound, message: message, isLogged: false)
    }
}
