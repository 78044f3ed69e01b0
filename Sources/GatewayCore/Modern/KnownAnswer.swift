import MCPProtocol
import NIOCore

/// What a client answered to a question of its request, when whoever asked it is gone: the same question has its answer already.
struct KnownAnswer: Sendable, Hashable {
    /// Of the question: ``AskedInput/digest``.
    let digest: [UInt8]
    /// Raw; empty where it was not kept, and the client is asked again.
    let result: ByteBuffer

    /// Most bytes of the answers that are kept of one request: its client carries them to and fro, in base64.
    static let maxBytes = 8 * 1024
    /// Most questions of one request whose answers are remembered.
    static let maxCount = 256

    /// What is kept of answers, in their order: one that does not fit leaves its place empty, so that no later answer to the same question is taken
    /// for it.
    static func kept(of answers: [KnownAnswer]) -> [KnownAnswer] {
        var left = maxBytes
        return answers.prefix(maxCount).map { answer in
            let bytes = answer.result.readableBytes
            guard bytes <= left else { return KnownAnswer(digest: answer.digest, result: ByteBuffer()) }
            left -= bytes
            return answer
        }
    }

    /// The answers to what was asked, in memory of their own; what was not is ignored (2026-07-28, basic/patterns/mrtr, "Error Handling").
    static func of(_ responses: [(key: String, result: ByteBuffer)], to asked: [AskedInput]) -> [KnownAnswer] {
        responses.compactMap { key, result in
            asked.first { $0.key == key }.map { KnownAnswer(digest: $0.digest, result: ByteBuffer(bytes: result.readableBytesView)) }
        }
    }
}
