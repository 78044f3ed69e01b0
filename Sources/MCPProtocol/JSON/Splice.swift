public import NIOCore

/// One replacement in a message's bytes. Everything outside the spans goes through untouched.
public struct Splice: Sendable {
    /// What takes the span's place.
    public enum Replacement: Sendable {
        case integer(UInt64)
        case bytes(ByteBuffer)
        /// Written as a JSON string.
        case string(String)
    }

    /// What is replaced.
    public let span: JSONSpan
    /// What takes its place.
    public let replacement: Replacement

    public init(_ span: JSONSpan, _ replacement: Replacement) {
        self.span = span
        self.replacement = replacement
    }
}

extension ByteBuffer {
    /// Appends `source` with `splices` applied. The splices need not be sorted; they must not overlap.
    public mutating func write(_ source: ByteBuffer, splicing splices: [Splice]) {
        reserveCapacity(minimumWritableBytes: source.readableBytes + 24 * splices.count)
        var position = 0
        let sorted = splices.count > 1 ? splices.sorted { $0.span.start < $1.span.start } : splices
        for splice in sorted {
            copy(source, from: position, to: Int(splice.span.start))
            switch splice.replacement {
            case .integer(let value): writeDecimal(value)
            case .bytes(let buffer): writeImmutableBuffer(buffer)
            case .string(let string): writeJSONString(string)
            }
            position = Int(splice.span.end)
        }
        copy(source, from: position, to: source.readableBytes)
    }

    /// Appends the bytes of `source` between two offsets from its reader index.
    public mutating func copy(_ source: ByteBuffer, from start: Int, to end: Int) {
        guard end > start else { return }
        source.withUnsafeReadableBytes { _ = writeBytes(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    }

    /// Replaces line breaks, which valid JSON has only between tokens, by spaces: one message becomes one line
    /// (basic/transports, stdio).
    public mutating func replaceLineBreaks() {
        withUnsafeMutableReadableBytes { pointer in
            for index in 0..<pointer.count where pointer[index] == 0x0A || pointer[index] == 0x0D { pointer[index] = 0x20 }
        }
    }
}
