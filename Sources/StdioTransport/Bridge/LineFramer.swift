import NIOCore

/// Splits a byte stream into lines that end with LF, bounded. A line that is too long is skipped and reported once.
struct LineFramer: Sendable {
    enum Line: Sendable, Equatable {
        case line(ByteBuffer)
        case tooLong
    }

    private let maxBytes: Int
    private var buffer = ByteBuffer()
    private var scanned = 0
    private var isSkipping = false

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next line without its end, white-space lines left out; nil when more bytes are needed.
    mutating func next() -> Line? {
        while true {
            let end = buffer.withUnsafeReadableBytes { bytes in bytes[scanned...].firstIndex(of: 0x0A) }
            guard let end else {
                scanned = buffer.readableBytes
                guard isSkipping || scanned > maxBytes else { return nil }
                let isFirst = !isSkipping
                isSkipping = true
                buffer.clear()
                scanned = 0
                return isFirst ? .tooLong : nil
            }
            scanned = 0
            guard let line = buffer.readSlice(length: end) else { return nil }
            buffer.moveReaderIndex(forwardBy: 1)
            if isSkipping {
                isSkipping = false
                continue
            }
            guard line.readableBytes <= maxBytes else { return .tooLong }
            if let line = Self.meaningful(line) { return .line(line) }
        }
    }

    /// What follows the last line end when the stream is over.
    mutating func rest() -> Line? {
        defer { buffer.clear() }
        guard !isSkipping else { return nil }
        return Self.meaningful(buffer).map { .line($0) }
    }

    private static func meaningful(_ line: ByteBuffer) -> ByteBuffer? {
        line.readableBytesView.contains { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D } ? line : nil
    }
}
