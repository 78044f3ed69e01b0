public import MCPProtocol
public import NIOCore

/// The wire to one MCP server: a child's pipes, an HTTP session. It moves messages and knows no MCP beyond what moving them needs.
///
/// All functions are called, and all delegate calls are made, on the link's event loop.
public protocol UpstreamLink: AnyObject, Sendable {
    /// Sends a message. `call` names the request it carries, so that its failure can be told.
    ///
    /// - Returns: whether the message is on its way; otherwise it is dropped.
    @discardableResult
    func send(_ message: ByteBuffer, call: UInt64?) -> LinkAdmission
    /// The handshake is done: the revision is fixed, a listening stream may be opened.
    func handshakeCompleted(revision: Revision)
    /// Whether the server has yet to read something that was sent to it: it has not started, or is busy.
    var hasUnreadInput: Bool { get }
    /// Begins or stops to read what the server says. Links that cannot make their server wait read on.
    func setReading(_ isReading: Bool)
    /// Closes the response stream of a modern request, which takes it back (2026-07-28, basic/patterns/cancellation).
    ///
    /// - Returns: false when requests have no streams of their own: then a notification takes it back.
    func abandon(call: UInt64) -> Bool
    /// Whether each request is answered on a stream of its own, so that what comes on two has no order.
    var callsHaveStreams: Bool { get }
    /// Whether calls of a modern server's tools have header fields, so that it must be known which.
    var needsParameterHeaders: Bool { get }
    /// The parameters that calls of tools repeat in header fields, by the tools' names.
    func setParameterHeaders(_ headers: [String: [ParameterHeader]])
    /// Closes the link in an orderly way; the delegate hears of it when that is done.
    func close()
}

extension UpstreamLink {
    /// For links that are one stream.
    public func abandon(call: UInt64) -> Bool { false }
    public var callsHaveStreams: Bool { false }
    public var hasUnreadInput: Bool { false }
    public var needsParameterHeaders: Bool { false }
    public func setParameterHeaders(_ headers: [String: [ParameterHeader]]) {}
}

/// What a link did with a message.
public enum LinkAdmission: Sendable {
    case sent
    /// The server does not read what is sent to it: as much as may wait (``LimitKey/maxQueuedInputBytes``) waits already.
    case queueFull
    /// The link is closing or closed.
    case closed
}

/// Hears of what comes over a link.
public protocol UpstreamLinkDelegate: AnyObject, Sendable {
    /// Where a link counts what waits in it.
    var metrics: UpstreamMetrics { get }
    /// One JSON-RPC message, not parsed yet.
    func link(_ link: any UpstreamLink, received message: ByteBuffer)
    /// The same, with the call on whose stream it came, where calls have streams of their own.
    func link(_ link: any UpstreamLink, received message: ByteBuffer, on call: UInt64?)
    /// The request of that call will not be answered; the link itself lives on.
    func link(_ link: any UpstreamLink, failed call: UInt64, with error: LinkCallFailure)
    /// The link is gone. The last call it makes.
    func link(_ link: any UpstreamLink, closed reason: LinkClosure)
}

extension UpstreamLinkDelegate {
    public func link(_ link: any UpstreamLink, received message: ByteBuffer, on call: UInt64?) { self.link(link, received: message) }
}

/// Why a link gives up one request.
public enum LinkCallFailure: Error, Sendable {
    /// The server does not know the session any more and did not process the request: it can be sent again after a new handshake.
    case sessionEnded
    /// What caused it, and a clause for people.
    case failed(ExchangeFailure.Cause, String)
}

/// Why a link is gone.
public struct LinkClosure: Error, Sendable, CustomStringConvertible {
    /// A sentence for people and for the error that the client sees.
    public let description: String
    /// Whether it ended because it was asked to.
    public let isOrderly: Bool
    /// Whether starting again at once makes sense (a remote session that expired).
    public let mayReconnectAtOnce: Bool

    public init(description: String, isOrderly: Bool = false, mayReconnectAtOnce: Bool = false) {
        self.description = description
        self.isOrderly = isOrderly
        self.mayReconnectAtOnce = mayReconnectAtOnce
    }
}

/// Makes links to one configured server.
public protocol UpstreamLinkFactory: Sendable {
    /// Starts a link on `eventLoop`.
    func connect(on eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) -> EventLoopFuture<any UpstreamLink>
}
