public import NIOCore

/// Receives what a ``StreamableHTTPClient`` gets from its server. All calls come in order, on the client's event loop.
public protocol StreamableHTTPClientDelegate: AnyObject, Sendable {
    /// A JSON-RPC message came in: a response, a request or a notification. Batches come as single messages.
    func client(_ client: StreamableHTTPClient, received message: ByteBuffer)

    /// The same, with the token of the request on whose stream it came; nil when it came on a stream of its own. Unless it is implemented, the
    /// function without the token is called.
    func client(_ client: StreamableHTTPClient, received message: ByteBuffer, on token: UInt64?)

    /// The request sent with `token` ended without a response. Called at most once per token, and never after its response.
    func client(_ client: StreamableHTTPClient, requestFailed token: UInt64, _ error: StreamableHTTPError)

    /// The server answered 404 to our session id: a new `initialize` is needed. Called once per session id.
    func clientSessionEnded(_ client: StreamableHTTPClient)
}

extension StreamableHTTPClientDelegate {
    public func client(_ client: StreamableHTTPClient, received message: ByteBuffer, on token: UInt64?) {
        self.client(client, received: message)
    }
}
