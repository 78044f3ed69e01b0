import MCPProtocol
import NIOCore

/// What a client answered to a question of its request, when whoever asked it is gone: the same question has its answer already.
struct KnownAnswer: Sendable, Hashable {
    /// Of the question: ``AskedInput/digest``.
    let digest: [UInt8]
    /// Raw.
    let result: ByteBuffer

    /// The answers to what was asked; what was not is ignored (2026-07-28, basic/patterns/mrtr, "Error Handling").
    static func of(_ responses: [(key: String, result: ByteBuffer)], to asked: [AskedInput]) -> [KnownAnswer] {
        responses.compactMap { key, result in
            asked.first { $0.key == key }.map { KnownAnswer(digest: $0.digest, result: result) }
        }
    }
}
