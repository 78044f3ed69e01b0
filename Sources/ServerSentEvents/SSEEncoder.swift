public import NIOCore

/// Writes server-sent events (HTML standard, section 9.2).
public enum SSEEncoder {
    /// A comment that keeps proxies from closing a silent stream.
    public static let keepAlive = ByteBuffer(string: ": keep-alive\n\n")

    /// An event that carries a JSON message. Line breaks, which JSON has only between tokens, become spaces, so one `data` line is enough.
    /// - Parameters:
    ///   - id: what a client sends as `Last-Event-ID` to resume after this event; nil for an event that cannot be resumed after.
    ///   - event: the event's type, without line breaks.
    public static func write(_ message: ByteBuffer, id: SSEEventID?, event: StaticString = "message", to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: message.readableBytes + 96)
        if let id { write(id, to: &buffer) }
        buffer.writeStaticString("event: ")
        buffer.writeStaticString(event)
        buffer.writeStaticString("\ndata: ")
        let start = buffer.readableBytes
        buffer.writeImmutableBuffer(message)
        buffer.withUnsafeMutableReadableBytes { bytes in
            for index in start..<bytes.count where bytes[index] == 0x0A || bytes[index] == 0x0D { bytes[index] = 0x20 }
        }
        buffer.writeStaticString("\n\n")
    }

    /// The first event of a stream from MCP 2025-11-25 on: an id to resume from and no data.
    public static func writePriming(id: SSEEventID, retry: TimeAmount, to buffer: inout ByteBuffer) {
        write(id, to: &buffer)
        write(retry: retry, to: &buffer)
        buffer.writeStaticString("data: \n\n")
    }

    /// Tells the client how long to wait before it reconnects; no event for it.
    public static func writeRetry(_ retry: TimeAmount, to buffer: inout ByteBuffer) {
        write(retry: retry, to: &buffer)
        buffer.writeStaticString("\n")
    }

    private static func write(_ id: SSEEventID, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("id: ")
        buffer.writeString(id.stream)
        buffer.writeStaticString(".")
        write(decimal: id.sequence, to: &buffer)
        buffer.writeStaticString("\n")
    }

    /// The field is digits only: a time below zero counts as none.
    private static func write(retry: TimeAmount, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("retry: ")
        write(decimal: UInt64(max(retry.nanoseconds, 0) / 1_000_000), to: &buffer)
        buffer.writeStaticString("\n")
    }

    /// `String(number)` allocates from 16 digits on.
    private static func write(decimal number: UInt64, to buffer: inout ByteBuffer) {
        var count = 1
        var rest = number
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            var rest = number
            for index in (0..<count).reversed() {
                bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            return count
        }
    }
}
