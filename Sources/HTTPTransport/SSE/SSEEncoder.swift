import GatewayCore
import NIOCore

/// Writes server-sent events (WHATWG HTML, "Server-sent events").
enum SSEEncoder {
    /// An event that carries a message. Line breaks, which JSON has only between tokens, become spaces, so one `data` line is enough.
    static func write(_ message: ByteBuffer, id: EventID?, to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: message.readableBytes + 64)
        if let id {
            buffer.writeStaticString("id: ")
            buffer.writeString(id.stream.value)
            buffer.writeStaticString(".")
            buffer.writeString(String(id.sequence))
            buffer.writeStaticString("\n")
        }
        buffer.writeStaticString("event: message\ndata: ")
        let start = buffer.readableBytes
        buffer.writeImmutableBuffer(message)
        buffer.withUnsafeMutableReadableBytes { bytes in
            for index in start..<bytes.count where bytes[index] == 0x0A || bytes[index] == 0x0D { bytes[index] = 0x20 }
        }
        buffer.writeStaticString("\n\n")
    }

    /// The first event of a stream from 2025-11-25 on: an id to resume from and no data.
    static func writePriming(id: EventID, retry: TimeAmount, to buffer: inout ByteBuffer) {
        buffer.writeString("id: \(id)\nretry: \(retry.nanoseconds / 1_000_000)\ndata: \n\n")
    }

    /// Tells the client when to reconnect.
    static func writeRetry(_ retry: TimeAmount, to buffer: inout ByteBuffer) {
        buffer.writeString("retry: \(retry.nanoseconds / 1_000_000)\n\n")
    }

    /// A comment that keeps proxies from closing a silent stream.
    static let keepAlive = ByteBuffer(string: ": keep-alive\n\n")
}
