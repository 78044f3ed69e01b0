public import NIOCore

/// Composes messages of the gateway's own.
public enum MessageWriter {
    /// A request. `params` is raw JSON.
    public static func request(id: UInt64, method: String, params: ByteBuffer? = nil) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{\"jsonrpc\":\"2.0\",\"id\":")
        buffer.writeDecimal(id)
        writeMethod(method, params: params, to: &buffer)
        return buffer
    }

    /// A server's request as a modern client gets it, in `inputRequests` (2026-07-28, basic/patterns/mrtr): method and params alone.
    public static func inputRequest(_ request: Message) -> ByteBuffer {
        var input = ByteBuffer(string: "{\"method\":")
        input.writeJSONString(request.methodName.name)
        if let params = request.json.slice(request.params) {
            input.writeStaticString(",\"params\":")
            input.writeImmutableBuffer(params)
        }
        input.writeStaticString("}")
        return input
    }

    /// A notification. `params` is raw JSON.
    public static func notification(method: String, params: ByteBuffer? = nil) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeStaticString("{\"jsonrpc\":\"2.0\"")
        writeMethod(method, params: params, to: &buffer)
        return buffer
    }

    /// A response with the raw `id` and raw `result`.
    public static func response(id: ByteBuffer, result: ByteBuffer) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(result.readableBytes + id.readableBytes + 36)
        buffer.writeStaticString("{\"jsonrpc\":\"2.0\",\"id\":")
        buffer.writeImmutableBuffer(id)
        buffer.writeStaticString(",\"result\":")
        buffer.writeImmutableBuffer(result)
        buffer.writeStaticString("}")
        return buffer
    }

    private static func writeMethod(_ method: String, params: ByteBuffer?, to buffer: inout ByteBuffer) {
        buffer.writeStaticString(",\"method\":")
        buffer.writeJSONString(method)
        if let params {
            buffer.writeStaticString(",\"params\":")
            buffer.writeImmutableBuffer(params)
        }
        buffer.writeStaticString("}")
    }
}
