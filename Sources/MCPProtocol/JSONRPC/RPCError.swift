public import NIOCore

/// A JSON-RPC error object that the gateway itself makes.
public struct RPCError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The codes in use (JSON-RPC 2.0 section 5.1, MCP schema).
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        public static let parseError = Code(rawValue: -32700)
        public static let invalidRequest = Code(rawValue: -32600)
        public static let methodNotFound = Code(rawValue: -32601)
        public static let invalidParams = Code(rawValue: -32602)
        public static let internalError = Code(rawValue: -32603)
        /// The upstream did not answer, or the connection to it was lost (the code the official SDKs use for a closed connection).
        public static let connectionClosed = Code(rawValue: -32000)
        /// The upstream did not answer in time (the code the official SDKs use for a time-out).
        public static let requestTimeout = Code(rawValue: -32001)
        /// server/resources, "Resource not found": of the legacy era; a modern server answers ``invalidParams``.
        public static let resourceNotFound = Code(rawValue: -32002)
        /// 2026-07-28, basic/transports/streamable-http, "Server Validation": header fields and body disagree.
        public static let headerMismatch = Code(rawValue: -32020)
        /// 2026-07-28, basic, "`_meta`": the request needs a capability that its client did not declare.
        public static let missingRequiredClientCapability = Code(rawValue: -32021)
        /// 2026-07-28, basic/versioning, "Protocol Version Negotiation".
        public static let unsupportedProtocolVersion = Code(rawValue: -32022)
        /// 2025-11-25, client/elicitation, "URL Elicitation Required Error": of that revision only.
        public static let urlElicitationRequired = Code(rawValue: -32042)
        /// The request was cancelled by its sender.
        public static let requestCancelled = Code(rawValue: -32800)
    }

    public let code: Code
    public let message: String
    /// Raw JSON for `data`.
    public let data: ByteBuffer?

    public init(code: Code, message: String, data: ByteBuffer? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    public var description: String { "\(message) (\(code.rawValue))" }

    /// The error response for the request with the raw `id`; `null` when it is not known.
    public func response(id: ByteBuffer?) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{\"jsonrpc\":\"2.0\",\"id\":")
        if let id { buffer.writeImmutableBuffer(id) } else { buffer.writeStaticString("null") }
        buffer.writeStaticString(",\"error\":{\"code\":")
        buffer.writeString(String(code.rawValue))
        buffer.writeStaticString(",\"message\":")
        buffer.writeJSONString(message)
        if let data {
            buffer.writeStaticString(",\"data\":")
            buffer.writeImmutableBuffer(data)
        }
        buffer.writeStaticString("}}")
        return buffer
    }
}
