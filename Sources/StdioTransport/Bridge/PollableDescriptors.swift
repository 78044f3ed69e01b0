import Foundation
import NIOCore

/// Descriptors that an event loop can wait for. Files and `/dev/null` cannot be waited for: a thread copies between them and a pipe.
struct PollableDescriptors {
    /// Owned by the caller.
    let input: CInt
    /// Owned by the caller.
    let output: CInt
    /// Completes when all that was written to `output` has arrived and `output` is closed.
    let outputFlushed: EventLoopFuture<Void>

    /// - Parameters:
    ///   - input: read from, not closed.
    ///   - output: written to, not closed.
    init(input: CInt, output: CInt, eventLoop: any EventLoop) throws {
        let flushed = eventLoop.makePromise(of: Void.self)
        outputFlushed = flushed.futureResult
        do {
            let source = try Self.duplicate(input)
            if Self.canBeWaitedFor(source) {
                self.input = source
            } else {
                let pipe = try Self.makePipe()
                self.input = pipe.read
                Self.copy(from: source, to: pipe.write) {}
            }
            let sink = try Self.duplicate(output)
            if Self.canBeWaitedFor(sink) {
                self.output = sink
                flushed.succeed()
            } else {
                let pipe = try Self.makePipe()
                self.output = pipe.write
                Self.copy(from: pipe.read, to: sink) { flushed.succeed() }
            }
        } catch {
            flushed.fail(error)
            throw error
        }
    }

    private static func canBeWaitedFor(_ descriptor: CInt) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        switch status.st_mode & S_IFMT {
        case S_IFIFO, S_IFSOCK: return true
        case S_IFCHR: return isatty(descriptor) == 1
        default: return false
        }
    }

    private static func duplicate(_ descriptor: CInt) throws -> CInt {
        let copy = dup(descriptor)
        guard copy >= 0 else { throw IOError(errnoCode: errno, reason: "dup(\(descriptor))") }
        return copy
    }

    private static func makePipe() throws -> (read: CInt, write: CInt) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { throw IOError(errnoCode: errno, reason: "pipe") }
        return (ends[0], ends[1])
    }

    private static func copy(from source: CInt, to sink: CInt, whenDone: @escaping @Sendable () -> Void) {
        let thread = Thread {
            var buffer = [UInt8](repeating: 0, count: 64 * 1024)
            copying: while true {
                let count = read(source, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                var written = 0
                while written < count {
                    let result = buffer.withUnsafeBytes {
                        write(sink, UnsafeRawBufferPointer(rebasing: $0[written..<count]).baseAddress, count - written)
                    }
                    if result < 0, errno == EINTR { continue }
                    guard result > 0 else { break copying }
                    written += result
                }
            }
            close(source)
            close(sink)
            whenDone()
        }
        thread.name = "stdio-copy"
        thread.start()
    }
}
