import GatewayCore
import HTTPTypes
import Hummingbird
import MCPProtocol
import NIOCore
import Synchronization

/// `/api/mcp/…`
extension APIRoutes {
    func listTools(_ request: Request) async throws -> Response {
        let session = try await session(of: request)
        let body = await withCheckedContinuation { continuation in
            gateway.allTools(for: session) { continuation.resume(returning: $0) }
        }
        return Self.json(body)
    }

    /// Calls a tool and waits for its result. Progress and log messages of the call are in the session's feed; so the caller's progress token,
    /// or one that the gateway makes, goes with the call.
    func callTool(_ request: Request) async throws -> Response {
        let session = try await session(of: request)
        let message = try call(in: try await object(request))
        if let refusal = Refusal.busy(session, gateway) { throw APIError(refusal) }
        let event = await withCheckedContinuation { continuation in
            gateway.handle(message, in: session, context: Self.context(of: request), sink: CallSink(continuation))
        }
        guard case .result(let bytes) = event, let answer = try? Message.parse(bytes), let result = answer.json.slice(answer.result) else {
            throw APIError(event)
        }
        return Self.json(result)
    }

    private static func context(of request: Request) -> GatewayCore.RequestContext {
        let trace = request.headers[.traceparent].flatMap {
            TraceContext(traceparent: $0, tracestate: request.headers[.tracestate])
        }
        return GatewayCore.RequestContext(id: request.headers[.xRequestID].flatMap(RequestID.init(given:)), trace: trace)
    }

    static let nextCall = Atomic<UInt64>(1)

    /// The `tools/call` request for a body; arguments go through untouched.
    private func call(in json: JSONText) throws -> Message {
        let name = json.member("name", of: json.root)
        guard json.string(name) != nil, let nameBytes = json.slice(name) else { throw invalid("\"name\" must be a string") }
        let arguments = json.member("arguments", of: json.root)
        guard !arguments.isPresent || json.isObject(arguments) else { throw invalid("\"arguments\" must be an object") }
        let meta = json.member("_meta", of: json.root)
        guard !meta.isPresent || json.isObject(meta) else { throw invalid("\"_meta\" must be an object") }
        let id = "rest-\(Self.nextCall.wrappingAdd(1, ordering: .relaxed).oldValue)"
        var bytes = ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":\"\(id)\",\"method\":\"tools/call\",\"params\":{\"name\":")
        bytes.writeImmutableBuffer(nameBytes)
        if let slice = json.slice(arguments) {
            bytes.writeStaticString(",\"arguments\":")
            bytes.writeImmutableBuffer(slice)
        }
        bytes.writeStaticString(",\"_meta\":")
        if json.member("progressToken", of: meta).isPresent, let slice = json.slice(meta) {
            bytes.writeImmutableBuffer(slice)
        } else {
            bytes.writeString("{\"progressToken\":\"\(id)\"")
            json.forEachMember(of: meta) { key, value in
                bytes.writeStaticString(",\"")
                bytes.writeBytes(key)
                bytes.writeStaticString("\":")
                if let slice = json.slice(value) { bytes.writeImmutableBuffer(slice) }
                return true
            }
            bytes.writeStaticString("}")
        }
        bytes.writeStaticString("}}")
        do throws(MessageError) {
            return try Message.parse(bytes, maxDepth: settings.maxNestingDepth + 2)
        } catch {
            throw invalid("the call is ambiguous: \(error)")
        }
    }
}

/// Waits for the end of one exchange. What comes before it is in the feed.
private final class CallSink: ExchangeSink {
    private let continuation: CheckedContinuation<ExchangeEvent, Never>

    init(_ continuation: CheckedContinuation<ExchangeEvent, Never>) { self.continuation = continuation }

    /// The last call is the final event, and there is exactly one (``ExchangeSink``).
    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        if event.isFinal { continuation.resume(returning: event) }
    }
}
