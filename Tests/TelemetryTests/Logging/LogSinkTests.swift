import Foundation
import Testing

@testable import Telemetry

@Suite("Writing log lines")
struct LogSinkTests {
    private func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test("lines arrive as they were written")
    func arrives() throws {
        let (read, write) = try makePipe()
        let sink = LogSink(descriptor: write)
        sink.write(Array("one\n".utf8))
        sink.write(Array("two\n".utf8))
        close(write)
        let text = FileHandle(fileDescriptor: read, closeOnDealloc: true).readDataToEndOfFile()
        #expect(String(decoding: text, as: UTF8.self) == "one\ntwo\n")
        #expect(sink.lostLines == 0)
    }

    @Test("a pipe without a reader loses the line, not the process")
    func brokenPipe() throws {
        LogSink.ignoreBrokenPipeSignal()
        let (read, write) = try makePipe()
        close(read)
        let sink = LogSink(descriptor: write)
        sink.write(Array("lost\n".utf8))
        #expect(sink.lostLines == 1)
        close(write)
    }

    @Test("a closed descriptor loses the line, not the process")
    func closed() {
        let sink = LogSink(descriptor: -1)
        sink.write(Array("lost\n".utf8))
        #expect(sink.lostLines == 1)
    }

    @Test("a full, non-blocking pipe holds the caller for a bounded time only, and the next line starts on a line of its own")
    func full() throws {
        let (read, write) = try makePipe()
        try #require(fcntl(write, F_SETFL, O_NONBLOCK) == 0)
        let sink = LogSink(descriptor: write)
        let start = ContinuousClock.now
        // More than any pipe's buffer.
        sink.write([UInt8](repeating: UInt8(ascii: "x"), count: 4 * 1024 * 1024))
        #expect(sink.lostLines == 1)
        #expect(ContinuousClock.now - start < .seconds(10))
        let reader = FileHandle(fileDescriptor: read, closeOnDealloc: true)
        let taken = try #require(try reader.read(upToCount: 64 * 1024))
        #expect(taken.allSatisfy { $0 == UInt8(ascii: "x") })
        sink.write(Array("next\n".utf8))
        close(write)
        #expect(String(decoding: reader.readDataToEndOfFile(), as: UTF8.self).hasSuffix("\nnext\n"))
        #expect(sink.lostLines == 1)
    }

    @Test("a blocking pipe with a reader loses nothing")
    func reader() async throws {
        let (read, write) = try makePipe()
        let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
        // A thread of its own: the writer below blocks, and must not hold the thread that its reader needs.
        Thread.detachNewThread {
            continuation.yield(FileHandle(fileDescriptor: read, closeOnDealloc: true).readDataToEndOfFile().count)
            continuation.finish()
        }
        let sink = LogSink(descriptor: write)
        for _ in 0..<64 { sink.write([UInt8](repeating: UInt8(ascii: "x"), count: 16 * 1024)) }
        close(write)
        var received = 0
        for await count in counts { received += count }
        #expect(received == 64 * 16 * 1024)
        #expect(sink.lostLines == 0)
    }

    @Test("lost lines can be counted while a write is stuck")
    func countWhileStuck() async throws {
        let (read, write) = try makePipe()
        let sink = LogSink(descriptor: write)
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 4 * 1024 * 1024)
        let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
        Thread.detachNewThread {
            sink.write(line)
            continuation.finish()
        }
        let reader = FileHandle(fileDescriptor: read, closeOnDealloc: true)
        // The write has begun, and cannot end before somebody reads the rest.
        _ = try reader.read(upToCount: 1)
        #expect(sink.lostLines == 0)
        var rest = line.count - 1
        while rest > 0, let taken = try reader.read(upToCount: min(rest, 64 * 1024)), !taken.isEmpty { rest -= taken.count }
        for await _ in ends {}
        #expect(rest == 0)
        close(write)
    }
}
