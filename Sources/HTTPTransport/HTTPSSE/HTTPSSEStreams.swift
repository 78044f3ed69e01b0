import GatewayCore
import MCPProtocol
import NIOConcurrencyHelpers

/// Which connection has the stream of a session of HTTP+SSE. Whoever has a message for such a session asks here and nowhere else: a stream
/// and its POSTs are different connections, and may be on different event loops.
final class HTTPSSEStreams: Sendable {
    private let streams = NIOLockedValueBox<[SessionID: HTTPSSEStream]>([:])

    /// A client has connected.
    func opened(_ stream: HTTPSSEStream) { streams.withLockedValue { $0[stream.id] = stream } }

    /// The client is gone, and its session with it.
    func closed(_ stream: HTTPSSEStream) {
        streams.withLockedValue { streams in
            if streams[stream.id] === stream { streams.removeValue(forKey: stream.id) }
        }
    }

    /// Whether there is a stream of this session for an endpoint of `server`.
    func has(_ id: SessionID, server: String?) -> Bool { stream(id, server: server) != nil }

    /// Gives what a client sent to its stream. `completion` runs on any thread, with what the client is refused for; nil when its messages
    /// were taken.
    func post(_ posted: PostedMessages, to id: SessionID, server: String?, completion: @escaping PostedMessages.Completion) {
        guard let stream = stream(id, server: server) else {
            posted.place.giveBack()
            return completion(RefusedMessages(.noStream))
        }
        stream.receive(posted, completion: completion)
    }

    private func stream(_ id: SessionID, server: String?) -> HTTPSSEStream? {
        guard let stream = streams.withLockedValue({ $0[id] }), stream.server == server else { return nil }
        return stream
    }
}
