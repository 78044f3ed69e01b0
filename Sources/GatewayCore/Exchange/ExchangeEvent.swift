public import NIOCore

/// What happens in an exchange, as complete JSON-RPC messages for the client.
public enum ExchangeEvent: Sendable {
    /// Progress, a log message, anything without an id.
    case notification(ByteBuffer)
    /// The server needs something of the client: a request with an id of the session's.
    case inputRequired(ByteBuffer)
    /// The response; the exchange is over.
    case result(ByteBuffer)
    /// The error response, and what caused it; the exchange is over.
    case error(ByteBuffer, ExchangeFailure.Cause)
    /// The client cancelled; no response is owed (basic/utilities/cancellation). The exchange is over.
    case cancelled(ByteBuffer)

    /// Whether the exchange is over.
    public var isFinal: Bool {
        switch self {
        case .notification, .inputRequired: false
        case .result, .error, .cancelled: true
        }
    }

    /// The message. For `cancelled` an error response, for transports that must answer with something.
    public var message: ByteBuffer {
        switch self {
        case .notification(let bytes), .inputRequired(let bytes), .result(let bytes), .error(let bytes, _), .cancelled(let bytes): bytes
        }
    }

    /// Why there is no result; nil while there may be one.
    public var failureCause: ExchangeFailure.Cause? {
        switch self {
        case .notification, .inputRequired, .result: nil
        case .error(_, let cause): cause
        case .cancelled: .cancelled
        }
    }
}

/// Takes the events of an exchange: a downstream transport. Called from any thread, one call at a time, in order; the last is final.
public protocol ExchangeSink: AnyObject, Sendable {
    func emit(_ event: ExchangeEvent, of exchange: Exchange)
}
