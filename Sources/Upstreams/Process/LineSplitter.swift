import Glibc
import NIOCore

/// Splits a stream of bytes into lines at `\n` (at nothing else: U+2028 is text). A value without I/O.
///
/// Lines that lie within one read are slices of it; only a line that spans reads is copied together.
struct LineSplitter {
    enum Outcome: Equatable {
        case ok
        /// The line that is being read is longer than the limit. All further input is to be discarded.
        case lineTooLong
    }

    private let maxLineBytes: Int
    /// The beginning of a line whose newline has not come yet.
    private var partial = ByteBuffer()
    private var isFirstLine = true

    init(maxLineBytes: Int) {
        self.maxLineBytes = maxLineBytes
    }

    /// Calls `line` for each line that `bytes` completes, in order; empty ones are left out.
    @inline(__always)
    mutating func feed(_ bytes: ByteBuffer, line: (ByteBuffer) -> Void) -> Outcome {
        var bytes = bytes
        if partial.readableBytes > 0 {
            guard let length = Self.lengthToNewline(bytes) else {
                return keep(&bytes)
            }
            guard partial.readableBytes + length <= maxLineBytes + 1 else { return .lineTooLong }
            if var rest = bytes.readSlice(length: length) {
                partial.writeBuffer(&rest)
            }
            bytes.moveReaderIndex(forwardBy: 1)
            let whole = partial
            // A fresh buffer: the receiver may keep the old one, and a huge line must not stay reserved.
            partial = ByteBuffer()
            guard deliver(whole, to: line) else { return .lineTooLong }
        }
        while let length = Self.lengthToNewline(bytes) {
            guard let whole = bytes.readSlice(length: length) else { break }
            bytes.moveReaderIndex(forwardBy: 1)
            guard deliver(whole, to: line) else { return .lineTooLong }
        }
        return bytes.readableBytes > 0 ? keep(&bytes) : .ok
    }

    /// What is left at the end of the stream: a last line without newline.
    mutating func finish(line: (ByteBuffer) -> Void) {
        let last = partial
        partial = ByteBuffer()
        _ = deliver(last, to: line)
    }

    private mutating func keep(_ bytes: inout ByteBuffer) -> Outcome {
        // One more than the limit may be the carriage return before the newline.
        guard partial.readableBytes + bytes.readableBytes <= maxLineBytes + 1 else {
            partial = ByteBuffer()
            return .lineTooLong
        }
        partial.writeBuffer(&bytes)
        return .ok
    }

    @inline(__always)
    private mutating func deliver(_ whole: ByteBuffer, to line: (ByteBuffer) -> Void) -> Bool {
        var whole = whole
        let length = whole.readableBytes
        if length > 0, whole.getInteger(at: whole.writerIndex - 1, as: UInt8.self) == UInt8(ascii: "\r") {
            whole.moveWriterIndex(to: whole.writerIndex - 1)
        }
        guard whole.readableBytes <= maxLineBytes else { return false }
        if isFirstLine {
            isFirstLine = false
            // A byte order mark is no part of the text (RFC 8259, section 8.1, lets a reader ignore it).
            if whole.readableBytesView.starts(with: [0xEF, 0xBB, 0xBF]) { whole.moveReaderIndex(forwardBy: 3) }
        }
        if whole.readableBytes > 0 {
            line(whole)
        }
        return true
    }

    @inline(__always)
    private static func lengthToNewline(_ bytes: ByteBuffer) -> Int? {
        bytes.withUnsafeReadableBytes { pointer in
            guard let base = pointer.baseAddress, pointer.count > 0,
                let found = memchr(base, Int32(UInt8(ascii: "\n")), pointer.count)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
