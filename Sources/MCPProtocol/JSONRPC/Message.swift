public import NIOCore

/// One JSON-RPC 2.0 message: its bytes, and where the parts of its envelope lie in them.
public struct Message: Sendable {
    /// What a message is, told by the members it has.
    public enum Kind: Sendable, Hashable {
        case request, notification, response, errorResponse
    }

    /// How deeply a message may nest unless told otherwise.
    public static let defaultMaxDepth = 512

    /// The message's bytes as JSON, for look-ups.
    public let json: JSONText
    /// What the message is.
    public let kind: Kind
    /// Raw `id`; absent in notifications.
    public let id: JSONSpan
    /// Raw `method` with its quotes; absent in responses.
    public let method: JSONSpan
    /// Raw `params`.
    public let params: JSONSpan
    /// The members of `params` that decide where the message goes.
    public let routing: RoutingParams
    /// Raw `result`.
    public let result: JSONSpan
    /// Raw `error`.
    public let error: JSONSpan
    /// Whether the bytes hold line breaks (between tokens).
    public let hasLineBreaks: Bool

    /// The message's bytes.
    public var bytes: ByteBuffer { json.bytes }

    /// The raw `id` as a slice.
    public var idBytes: ByteBuffer? { json.slice(id) }

    /// The method, known or not. Empty for responses.
    public var methodName: Method {
        guard method.isPresent else { return .other("") }
        return json.bytes.withUnsafeReadableBytes { Method(jsonString: UnsafeRawBufferPointer(rebasing: $0[method.range])) }
    }

    /// The value of a member of `params`, or `.absent`.
    public func param(_ key: StaticString) -> JSONSpan { json.member(key, of: params) }

    /// Parses and validates one message.
    public static func parse(_ bytes: ByteBuffer, maxDepth: Int = defaultMaxDepth) throws(MessageError) -> Message {
        guard bytes.readableBytes < Int(UInt32.max) else { throw .malformed(JSONScanError(.tooLarge, at: 0)) }
        let result: Result<Message, MessageError> = bytes.withUnsafeReadableBytes { pointer in
            var scanner = JSONScanner(pointer, maxDepth: maxDepth)
            do throws(MessageError) {
                return .success(try EnvelopeParser.parse(&scanner, bytes: bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Parses a body that is one message or, where the revision has them, a batch.
    public static func parsePayload(_ bytes: ByteBuffer, maxDepth: Int = defaultMaxDepth) throws(MessageError) -> Payload {
        let first = bytes.readableBytesView.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
        guard first == UInt8(ascii: "[") else { return .single(try parse(bytes, maxDepth: maxDepth)) }
        let text: JSONText
        do throws(JSONScanError) {
            text = try JSONText(validating: bytes, maxDepth: maxDepth)
        } catch {
            throw .malformed(error)
        }
        var messages: [Result<Message, MessageError>] = []
        for span in text.elements(of: text.root) {
            guard let slice = text.slice(span) else { continue }
            do throws(MessageError) {
                messages.append(.success(try parse(slice, maxDepth: maxDepth)))
            } catch {
                messages.append(.failure(error))
            }
        }
        return .batch(messages)
    }

    /// A request body: one message, or the elements of a JSON-RPC batch.
    public enum Payload: Sendable {
        case single(Message)
        case batch([Result<Message, MessageError>])
    }

    init(
        bytes: ByteBuffer, root: JSONSpan, kind: Kind, id: JSONSpan, method: JSONSpan, params: JSONSpan, routing: RoutingParams,
        result: JSONSpan, error: JSONSpan, hasLineBreaks: Bool
    ) {
        self.json = JSONText(validated: bytes, root: root)
        self.kind = kind
        self.id = id
        self.method = method
        self.params = params
        self.routing = routing
        self.result = result
        self.error = error
        self.hasLineBreaks = hasLineBreaks
    }
}

/// Why bytes are not a JSON-RPC message.
public enum MessageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No JSON at all: JSON-RPC −32700.
    case malformed(JSONScanError)
    /// JSON, but no JSON-RPC 2.0 message: JSON-RPC −32600. The raw id is kept where there is one, for the answer.
    case notAMessage(reason: String, id: ByteBuffer?)

    public var description: String {
        switch self {
        case .malformed(let error): "Parse error: \(error)"
        case .notAMessage(let reason, _): "Invalid Request: \(reason)"
        }
    }

    /// The JSON-RPC error for it.
    public var rpcError: RPCError {
        switch self {
        case .malformed: RPCError(code: .parseError, message: description)
        case .notAMessage: RPCError(code: .invalidRequest, message: description)
        }
    }

    /// The raw id of the message it is about, where it could be read.
    public var id: ByteBuffer? {
        guard case .notAMessage(_, let id) = self else { return nil }
        return id
    }
}
