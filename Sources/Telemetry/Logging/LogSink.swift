import NIOConcurrencyHelpers
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes whole lines to a descriptor, one `write(2)` each.
///
/// A write blocks while a pipe's reader is slow: log lines are not worth an unbounded queue, and a bounded one would lose the lines
/// that explain why it is full. With a non-blocking descriptor a line waits at most `patience` and is then dropped. A closed
/// descriptor or reader loses the line and nothing else.
final class LogSink: Sendable {
    /// How long a line waits for room in a full, non-blocking descriptor, in milliseconds.
    static let patience: Int32 = 100

    private let descriptor: Int32
    private struct State {
        /// The last line was dropped after the system had taken a part of it.
        var isTorn = false
    }

    // Outside the lock, which is held while a write blocks: who counts the lost lines must not wait for that.
    private let lost = Synchronization.Atomic<Int>(0)

    /// The lock keeps a line that the system takes in parts in one piece.
    private let state = NIOLockedValueBox(State())

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// How many lines could not be written.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    func write(_ line: [UInt8]) {
        state.withLockedValue { state in
            let bytes = state.isTorn ? [UInt8(ascii: "\n")] + line : line
            let written = writeAll(bytes)
            if written == bytes.count {
                state.isTorn = false
            } else {
                lost.wrappingAdd(1, ordering: .relaxed)
                if written > 0 { state.isTorn = true }
            }
        }
    }

    /// - Returns: how many bytes the system took; fewer than all when the line has to be given up.
    private func writeAll(_ line: [UInt8]) -> Int {
        line.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
                #if canImport(Glibc)
                    let written = Glibc.write(descriptor, start, rest.count)
                #elseif canImport(Musl)
                    let written = Musl.write(descriptor, start, rest.count)
                #else
                    let written = Darwin.write(descriptor, start, rest.count)
                #endif
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if written < 0, errno == EINTR {
                    continue
                } else if written < 0, errno == EAGAIN || errno == EWOULDBLOCK {
                    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    guard waitForRoom(&poll) else { break }
                } else {
                    break
                }
            }
            return bytes.count - rest.count
        }
    }

    private func waitForRoom(_ request: inout pollfd) -> Bool {
        poll(&request, 1, Self.patience) > 0
    }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Lets a write to a pipe without a reader fail instead of ending the process. Leaves a handler alone that somebody else has set.
    static func ignoreBrokenPipeSignal() {
        var current = sigaction()
        guard sigaction(SIGPIPE, nil, &current) == 0 else { return }
        // Zeroes mean SIG_DFL, which has no value in Swift that could be compared.
        let handlerIsDefault = withUnsafeBytes(of: current) { $0.prefix(MemoryLayout<UInt>.size).allSatisfy { $0 == 0 } }
        if handlerIsDefault { signal(SIGPIPE, SIG_IGN) }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
