import GatewayCore
import MCPProtocol
import NIOCore
import NIOHTTP1

/// JSON-RPC batches (2025-03-26, basic/transports, "Sending Messages to the Server"; JSON-RPC 2.0 section 6).
enum MessageBatch {
    /// The messages of a batch, if they may come together.
    static func messages(
        _ elements: [Result<Message, MessageError>], revision: Revision, settings: HTTPTransportSettings
    ) throws(RefusedMessages) -> [Message] {
        guard revision.hasBatches else { throw refused("JSON-RPC batches are not part of revision \(revision.rawValue)") }
        let limit = settings.maxBatchSize
        guard elements.count <= limit else {
            LimitHits.count(.maxBatchSize)
            throw refused("a batch may hold \(limit) messages (limits.maxBatchSize)")
        }
        guard !elements.isEmpty else { throw refused("an empty batch is no request") }
        var messages: [Message] = []
        for element in elements {
            switch element {
            case .success(let message): messages.append(message)
            case .failure(let error): throw refused(error.description, id: error.id)
            }
        }
        guard !messages.contains(where: { $0.methodName == .initialize }) else { throw refused("initialize must not be in a batch") }
        return messages
    }

    private static func refused(_ reason: String, id: ByteBuffer? = nil) -> RefusedMessages {
        RefusedMessages(Refusal(status: .badRequest, error: RPCError(code: .invalidRequest, message: reason)), id: id)
    }
}

/// Why messages were not taken.
struct RefusedMessages: Error {
    let refusal: Refusal
    /// Of the message that is wrong.
    let id: ByteBuffer?

    init(_ refusal: Refusal, id: ByteBuffer? = nil) {
        self.refusal = refusal
        self.id = id
    }
}
