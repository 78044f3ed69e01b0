import NIOCore

/// A command that has no answer yet.
struct PendingCommand: Sendable {
    /// Where the answer goes.
    enum Reply: Sendable {
        case promise(EventLoopPromise<RESPValue>)
        case continuation(CheckedContinuation<RESPValue, any Error>)

        func complete(_ result: Result<RESPValue, RedisError>) {
            switch (self, result) {
            case (.promise(let promise), .success(let value)): promise.succeed(value)
            case (.promise(let promise), .failure(let error)): promise.fail(error)
            case (.continuation(let continuation), .success(let value)): continuation.resume(returning: value)
            case (.continuation(let continuation), .failure(let error)): continuation.resume(throwing: error)
            }
        }
    }

    let bytes: ByteBuffer
    let deadline: NIODeadline
    /// Nil for the client's own commands, and for those whose deadline passed: the answer is dropped.
    var reply: Reply?
    /// The script that this command runs.
    var script: RedisScript?
    /// The digest of the script that this command of the client's own loads.
    var loads: String?
    /// How often it was written to a connection.
    var sends = 0
    /// Why it is being repeated.
    var lastError: RESPServerError?
}
