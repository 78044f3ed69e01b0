import NIOCore

/// What the shell does for an ``HTTPExchange``.
enum ExchangeAction: Sendable, Equatable {
    /// Hand a message to the delegate.
    case deliver(ByteBuffer)
    /// Tell the delegate that the request ended without a response.
    case fail(token: UInt64, StreamableHTTPError)
    /// The server does not know our session.
    case sessionEnded
    /// The server has taken a notification or response: the next may go.
    case accepted
    /// Open the stream again by GET after the wait.
    case reconnect(lastEventID: String?, attempt: Int, retryMilliseconds: Int64?)
    /// The answer is complete; close the connection if the server does not end its response soon.
    case linger
    /// Stop reading the HTTP response.
    case cancelHTTP
    /// Nothing more will happen.
    case finished
    /// For the log.
    case note(String)
}
