public import AsyncHTTPClient
public import GatewayCore
public import Logging
public import MCPHTTPClient
import MCPProtocol
public import NIOCore

/// Makes links to a remote Streamable HTTP server: each is an MCP session there, or none if the server is modern.
public struct HTTPLinkFactory: UpstreamLinkFactory {
    let name: String
    let configuration: StreamableHTTPClientConfiguration
    let httpClient: HTTPClient
    let logger: Logger

    /// - Parameter httpClient: shared by all links; its connections are reused.
    public init(name: String, configuration: StreamableHTTPClientConfiguration, httpClient: HTTPClient, logger: Logger) {
        self.name = name
        self.configuration = configuration
        self.httpClient = httpClient
        var logger = logger
        logger[metadataKey: "upstream"] = "\(name)"
        self.logger = logger
    }

    public func connect(on eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) -> EventLoopFuture<any UpstreamLink> {
        eventLoop.submit {
            let link = HTTPLink(delegate: delegate, eventLoop: eventLoop)
            link.start(configuration: configuration, httpClient: httpClient, logger: logger)
            return link
        }
    }
}

/// An MCP session on a remote server as a link.
final class HTTPLink: UpstreamLink, StreamableHTTPClientDelegate {
    private struct State {
        var client: StreamableHTTPClient?
        var isClosed = false
    }

    private let eventLoop: any EventLoop
    private let delegate: any UpstreamLinkDelegate
    private let state: NIOLoopBoundBox<State>

    init(delegate: any UpstreamLinkDelegate, eventLoop: any EventLoop) {
        self.delegate = delegate
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    func start(configuration: StreamableHTTPClientConfiguration, httpClient: HTTPClient, logger: Logger) {
        state.value.client = StreamableHTTPClient(
            configuration: configuration, httpClient: httpClient, eventLoop: eventLoop, logger: logger, delegate: self)
    }

    func send(_ message: ByteBuffer, call: UInt64?) -> LinkAdmission {
        guard !state.value.isClosed, let client = state.value.client else { return .closed }
        client.send(message, token: call)
        return .sent
    }

    func handshakeCompleted(revision: Revision) {
        // A modern server has no listening stream: what it tells of was asked for (`subscriptions/listen`).
        state.value.client?.initialized(revision: revision.rawValue, openListeningStream: revision.era == .legacy)
    }

    var needsParameterHeaders: Bool { true }
    var callsHaveStreams: Bool { true }

    func setParameterHeaders(_ headers: [String: [ParameterHeader]]) { state.value.client?.setParameterHeaders(headers) }

    func abandon(call: UInt64) -> Bool {
        state.value.client?.cancel(token: call)
        return true
    }

    /// The client reads on: TCP's own flow control is all that makes a remote server wait.
    func setReading(_ isReading: Bool) {}

    func close() {
        guard !state.value.isClosed, let client = state.value.client else { return }
        state.value.isClosed = true
        client.close(terminateSession: true).whenComplete { _ in
            self.delegate.link(self, closed: LinkClosure(description: "the session was closed", isOrderly: true))
            self.state.value.client = nil
        }
    }

    func client(_ client: StreamableHTTPClient, received message: ByteBuffer) { self.client(client, received: message, on: nil) }

    func client(_ client: StreamableHTTPClient, received message: ByteBuffer, on token: UInt64?) {
        guard !state.value.isClosed else { return }
        delegate.link(self, received: message, on: token)
    }

    func client(_ client: StreamableHTTPClient, requestFailed token: UInt64, _ error: StreamableHTTPError) {
        guard !state.value.isClosed else { return }
        if error == .sessionEnded {
            delegate.link(self, failed: token, with: .sessionEnded)
        } else {
            delegate.link(self, failed: token, with: .failed(error.cause, error.description))
        }
    }

    func clientSessionEnded(_ client: StreamableHTTPClient) {
        // After the failures of the requests that were under way, which come in the same tick.
        eventLoop.execute {
            guard !self.state.value.isClosed else { return }
            self.state.value.isClosed = true
            client.close(terminateSession: false).whenComplete { _ in self.state.value.client = nil }
            self.delegate.link(self, closed: LinkClosure(description: "its session ended", mayReconnectAtOnce: true))
        }
    }
}

extension StreamableHTTPError {
    /// What it is among the failures of an exchange.
    fileprivate var cause: ExchangeFailure.Cause {
        switch self {
        case .connectFailed, .invalidURL, .closed: .upstreamUnavailable
        case .connectionLost, .sessionEnded: .upstreamFailed
        case .timedOut: .upstreamTimeout
        case .http: isUnreachable ? .upstreamUnavailable : .upstreamFailed
        case .noResponse, .unexpectedContentType, .malformedMessage, .messageTooLarge, .invalidSessionID: .upstreamBroken
        case .tooManyInFlight: .limit(.maxInFlightPerUpstream, retryAfter: 1)
        }
    }
}
