public import NIOCore

/// One dispatched server-sent event (HTML standard, section 9.2.6).
public struct SSEEvent: Sendable, Hashable {
    /// The event's type; `message` when the stream named none.
    public let type: String
    /// The `data` lines, joined by line feeds.
    public let data: ByteBuffer
    /// The stream's last event id once this event is dispatched; nil when the stream has set none or an empty one.
    public let id: String?

    public init(type: String = "message", data: ByteBuffer, id: String? = nil) {
        self.type = type
        self.data = data
        self.id = id
    }
}
