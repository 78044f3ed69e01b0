import MCPProtocol
import NIOCore

/// What the shell does for a ``BridgeSession``.
enum BridgeAction: Sendable, Equatable {
    /// Send a message to the gateway; a token for requests.
    case send(ByteBuffer, token: UInt64?)
    /// Close the connection on which a request's answer is awaited.
    case cancel(token: UInt64)
    /// From now on calls of these tools repeat these parameters in header fields.
    case setParameterHeaders([String: [ParameterHeader]])
    /// Write a message to the client.
    case write(ByteBuffer)
    /// The handshake is done in this revision.
    case initialized(revision: String, openListeningStream: Bool)
    /// Call ``BridgeSession/retry(now:)`` after a wait that grows with the attempt, 0 the first.
    case scheduleRetry(attempt: Int)
    /// Nothing is outstanding and the input has ended.
    case finish
    /// For the log.
    case log(String)
}
