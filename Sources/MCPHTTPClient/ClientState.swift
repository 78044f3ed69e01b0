import AsyncHTTPClient
import MCPProtocol
import NIOCore

/// What a ``StreamableHTTPClient`` remembers; touched on its event loop only.
struct ClientState {
    /// One exchange with its HTTP request and timer.
    struct Running {
        var exchange: HTTPExchange
        /// The body of its POST until it is on its way.
        var message: ByteBuffer?
        /// For the header of its POST.
        var trace: TraceContext?
        /// The same, of a modern request.
        var modern: ModernHead?
        /// Tells callbacks of the HTTP request under way from those of an earlier one.
        var attempt: UInt64 = 0
        var task: HTTPClient.Task<Void>?
        var timer: Scheduled<Void>?
        /// A notification that holds back the ones after it.
        var isNotification = false
        /// Whether it no longer counts as in flight, though its connection is still open.
        var hasReleased = false
    }

    /// A message that waits in the outbox.
    struct Outgoing: Sendable {
        var message: ByteBuffer
        var trace: TraceContext?
        var modern: ModernHead?
        var purpose: HTTPExchange.Purpose
        /// The session that it was sent in.
        var sessionID: String?
        var isInitialize: Bool
        var isNotification: Bool
    }

    weak var delegate: (any StreamableHTTPClientDelegate)?
    var sessionID: String?
    /// Whether the server said that it does not know `sessionID`.
    var isSessionEnded = false
    var revision: String?
    /// The parameters of tools that modern calls repeat in their headers.
    var parameterHeaders: [String: [ParameterHeader]] = [:]
    var isClosed = false
    var outbox: Outbox<Outgoing>
    var running: [UInt64: Running] = [:]
    var listening: UInt64?
    var requestsInFlight = 0
    var othersInFlight = 0
    var lastKey: UInt64 = 0
    /// Set while reading is paused.
    var readPermission: EventLoopPromise<Void>?

    mutating func nextKey() -> UInt64 {
        lastKey += 1
        return lastKey
    }
}
