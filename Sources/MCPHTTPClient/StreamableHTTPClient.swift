public import AsyncHTTPClient
public import Logging
public import NIOCore
public import MCPProtocol

/// The client side of MCP Streamable HTTP (basic/transports of 2025-03-26, 2025-06-18 and 2025-11-25; basic/transports/streamable-http of
/// 2026-07-28).
///
/// A request that names its version itself (`_meta` of 2026-07-28) goes out as that revision wants it: with the header fields that repeat its
/// body, in no session, and without resumption.
///
/// Moves JSON-RPC messages and knows sessions, event streams and their resumption; what the messages mean is the delegate's.
/// Methods may be called from any thread; calls from one thread keep their order.
public final class StreamableHTTPClient: Sendable {
    /// The loop on which the delegate is called.
    public let eventLoop: any EventLoop

    let configuration: StreamableHTTPClientConfiguration
    let endpoint: Endpoint?
    let httpClient: HTTPClient
    let logger: Logger
    let backoff: ReconnectBackoff
    let state: NIOLoopBoundBox<ClientState>

    /// - Parameters:
    ///   - httpClient: configured with ``StreamableHTTPClientConfiguration/httpClientConfiguration``. Stays the caller's to shut down.
    ///   - eventLoop: one of the HTTP client's event loops.
    ///   - delegate: held weakly.
    public init(
        configuration: StreamableHTTPClientConfiguration, httpClient: HTTPClient, eventLoop: any EventLoop, logger: Logger,
        delegate: any StreamableHTTPClientDelegate
    ) {
        self.configuration = configuration
        self.httpClient = httpClient
        self.eventLoop = eventLoop
        self.endpoint = Endpoint(configuration.url)
        self.backoff = ReconnectBackoff(initial: configuration.initialReconnectDelay, cap: configuration.maxReconnectDelay)
        var logger = logger
        logger[metadataKey: "endpoint"] = "\(endpoint?.display ?? "invalid URL")"
        self.logger = logger
        self.state = NIOLoopBoundBox.makeBoxSendingValue(
            ClientState(delegate: delegate, outbox: Outbox(limit: configuration.maxInFlight)), eventLoop: eventLoop)
    }

    /// Sends one JSON-RPC message.
    ///
    /// An `initialize` request starts a new session: it carries no session id, and the one of its answer is used from then on.
    /// - Parameter token: set for requests; identifies the request in
    ///   ``StreamableHTTPClientDelegate/client(_:requestFailed:_:)``. Nil for notifications and responses.
    public func send(_ message: ByteBuffer, token: UInt64?) {
        onLoop { $0.sendOnLoop(message, token: token) }
    }

    /// Takes a request back by closing the connection that waits for its answer (2026-07-28, basic/patterns/cancellation); the delegate does
    /// not hear of it again. Servers of earlier revisions go on: they are told with `notifications/cancelled`.
    public func cancel(token: UInt64) {
        onLoop { $0.cancelOnLoop(token: token) }
    }

    /// The parameters of tools that modern calls repeat in their headers, by the tools' names.
    public func setParameterHeaders(_ headers: [String: [ParameterHeader]]) {
        onLoop { $0.state.value.parameterHeaders = headers }
    }

    /// The handshake is done: from now on `MCP-Protocol-Version` is sent.
    /// - Parameter openListeningStream: whether to open the GET stream. A server that has none (405) is left in peace; a stream
    ///   that drops is opened again with `Last-Event-ID`, honouring the server's `retry`.
    public func initialized(revision: String, openListeningStream: Bool) {
        onLoop { $0.initializedOnLoop(revision: revision, openListeningStream: openListeningStream) }
    }

    /// Forgets the session, before a new `initialize`, and ends its listening stream. Requests under way go on in the old session until
    /// the server answers them or ends them.
    public func resetSession() {
        onLoop { $0.resetSessionOnLoop() }
    }

    /// Ends everything: requests under way fail with `closed`.
    /// - Parameter terminateSession: whether to end the session on the server too (DELETE).
    /// - Returns: completes when the server has answered the DELETE, or has not within five seconds.
    @discardableResult
    public func close(terminateSession: Bool) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        onLoop { $0.closeOnLoop(terminateSession: terminateSession, promise: promise) }
        return promise.futureResult
    }

    /// Stops reading from the server until ``resumeReading()``, for a delegate that cannot take more.
    public func pauseReading() {
        onLoop { client in
            guard client.state.value.readPermission == nil, !client.state.value.isClosed else { return }
            client.state.value.readPermission = client.eventLoop.makePromise()
        }
    }

    /// Goes on reading.
    public func resumeReading() {
        onLoop { client in
            let promise = client.state.value.readPermission
            client.state.value.readPermission = nil
            promise?.succeed()
        }
    }

    private func onLoop(_ body: @escaping @Sendable (StreamableHTTPClient) -> Void) {
        if eventLoop.inEventLoop {
            body(self)
        } else {
            eventLoop.execute { body(self) }
        }
    }
}
