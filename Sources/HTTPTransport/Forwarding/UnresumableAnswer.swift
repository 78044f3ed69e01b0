import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1
import ServerSentEvents

/// A stream that answers a request and of which no event with an id has come yet: its client could not ask for the rest.
struct UnresumableAnswer {
    /// The client's message, as it came.
    let request: ByteBuffer
    /// Line breaks that the stream ends with, so far.
    private var breaks = 2

    init(request: ByteBuffer) { self.request = request }

    /// Whether an event may follow.
    var isBetweenEvents: Bool { breaks >= 2 }

    /// Whether more of the stream brings an id. One whose name is in two pieces is missed; pieces are events.
    mutating func hasPosition(after bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in
            for index in bytes.indices {
                if breaks > 0, bytes[index...].starts(with: "id:".utf8) { return true }
                breaks = bytes[index] == UInt8(ascii: "\n") ? breaks + 1 : 0
            }
            return false
        }
    }
}

extension ClientConnection {
    /// The instance that was answering does so no more. A client that has a position sees that there was more to come, and asks for the rest; any
    /// other is told that the outcome of its request is unknown.
    func breakOff(_ forward: Forward) {
        guard let context else { return }
        let unresumable = forward.unresumable.flatMap { $0.isBetweenEvents ? $0 : nil }
        let payload = unresumable.flatMap { try? Message.parsePayload($0.request, maxDepth: server.settings.maxNestingDepth) }
        // Of several requests some may have their answers.
        guard case .single(let message)? = payload, message.kind == .request else { return context.close(promise: nil) }
        var event = ByteBuffer()
        SSEEncoder.write(Gateway.lostError.response(id: message.idBytes), id: nil, event: "message", to: &event)
        state = .idle
        context.write(wrapOutboundOut(.body(.byteBuffer(event))), promise: nil)
        finishResponse(context)
    }
}
