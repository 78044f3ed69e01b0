public import NIOCore

/// Reads RESP2 and RESP3 as it arrives. No byte is looked at twice, however the input is cut, and blobs are slices of the input.
///
/// Attributes (`|`) are read and dropped. Streamed strings and aggregates (`$?`, `*?`), which no server sends, are refused.
public struct RESPParser: Sendable {
    private let limits: RESPLimits
    var input = ByteBuffer()
    /// Whether slices of the storage of `input` were handed out, so that writing to it would copy all of it.
    private var isShared = false
    /// Bytes after the reader index in which there is no end of line.
    private var scanned = 0
    /// A blob whose length was read and whose bytes have not all come.
    private var blob: (type: RESPType, length: Int)?
    /// The aggregates that are not complete, the outermost first.
    private var open: [RESPAggregate] = []
    /// Bytes of the outermost value that were read.
    private var replyBytes = 0
    private var failure: RESPParserError?

    public init(limits: RESPLimits = RESPLimits()) { self.limits = limits }

    /// Whether a value has begun and not ended.
    public var isInsideValue: Bool { !open.isEmpty || blob != nil || input.readableBytes > 0 }

    /// Takes what was read from the socket. The parser keeps the buffer itself if nothing was left of the last one.
    public mutating func append(_ bytes: ByteBuffer) {
        guard input.readableBytes > 0 else {
            input = bytes
            // Whoever read it may keep the storage.
            isShared = true
            return
        }
        if isShared {
            let length = input.readableBytes + bytes.readableBytes
            var joined = ByteBufferAllocator().buffer(capacity: length)
            joined.writeImmutableBuffer(input)
            input = joined
            isShared = false
        } else if input.readerIndex > input.readableBytes {
            input.discardReadBytes()
        }
        input.writeImmutableBuffer(bytes)
    }

    /// The next complete value; nil if more bytes are needed. An error is final: every later call throws it again.
    public mutating func next() throws(RESPParserError) -> RESPValue? {
        if let failure { throw failure }
        do throws(RESPParserError) {
            return try nextValue()
        } catch {
            failure = error
            input = ByteBuffer()
            open = []
            throw error
        }
    }

    private mutating func nextValue() throws(RESPParserError) -> RESPValue? {
        while true {
            guard let step = try readStep() else { return nil }
            switch step {
            case .value(let value):
                if let whole = place(value) { return whole }
            case .aggregate(let type, let count):
                guard count > 0 else {
                    guard type != .attribute else { continue }
                    if let whole = place(RESPAggregate(type, count: 0).value) { return whole }
                    continue
                }
                guard open.count < limits.maxDepth else { throw .limit("maxDepth", value: limits.maxDepth) }
                open.append(RESPAggregate(type, count: count))
            }
        }
    }

    /// Puts a value where it belongs; the outermost value if that completed it.
    private mutating func place(_ value: RESPValue) -> RESPValue? {
        var value = value
        while let last = open.indices.last {
            open[last].append(value)
            guard open[last].isComplete else { return nil }
            let complete = open.removeLast()
            // What an attribute belongs to follows it, in the same place.
            guard complete.type != .attribute else { return nil }
            value = complete.value
        }
        replyBytes = 0
        return value
    }

    private enum Step {
        case value(RESPValue)
        /// An aggregate begins; `count` is the number of values in it.
        case aggregate(RESPType, count: Int)
    }

    private mutating func readStep() throws(RESPParserError) -> Step? {
        if let blob { return try readBlob(blob.type, length: blob.length) }
        guard let length = try lineLength() else { return nil }
        scanned = 0
        guard let type = RESPType(rawValue: input.getInteger(at: input.readerIndex)!) else {
            throw .unknownType(input.getInteger(at: input.readerIndex)!)
        }
        let line = RESPLine(type: type, bytes: input.viewBytes(at: input.readerIndex + 1, length: length - 1)!)
        input.moveReaderIndex(forwardBy: length + 2)
        try count(length + 2)
        switch type {
        case .blobString, .blobError, .verbatim:
            guard let length = try line.length(isNullable: type == .blobString) else { return .value(.null) }
            guard length <= limits.maxBlobBytes else { throw .limit("maxBlobBytes", value: limits.maxBlobBytes) }
            try count(length + 2)
            blob = (type, length)
            return try readBlob(type, length: length)
        case .array, .set, .map, .push, .attribute:
            guard let length = try line.length(isNullable: type == .array) else { return .value(.null) }
            guard length <= limits.maxElements else { throw .limit("maxElements", value: limits.maxElements) }
            let elements = type == .map || type == .attribute ? length * 2 : length
            guard elements <= limits.maxElements else { throw .limit("maxElements", value: limits.maxElements) }
            guard type != .push || open.isEmpty else { throw .malformed(type: type.rawValue, reason: "inside another value") }
            return .aggregate(type, count: elements)
        default: return .value(try line.value())
        }
    }

    private mutating func readBlob(_ type: RESPType, length: Int) throws(RESPParserError) -> Step? {
        guard input.readableBytes >= length + 2 else { return nil }
        let end = input.readerIndex + length
        guard input.getInteger(at: end, as: UInt16.self) == 0x0D0A else {
            throw .malformed(type: type.rawValue, reason: "no end of line after \(length) bytes")
        }
        let bytes = input.readSlice(length: length)!
        input.moveReaderIndex(forwardBy: 2)
        blob = nil
        switch type {
        case .blobError: return .value(.error(RESPServerError(String(buffer: bytes))))
        case .verbatim:
            var text = bytes
            guard let format = text.readString(length: 3), format.utf8.allSatisfy({ $0 &- 0x20 < 0x5F }),
                text.getInteger(at: text.readerIndex, as: UInt8.self) == UInt8(ascii: ":")
            else { throw .malformed(type: type.rawValue, reason: "no format") }
            isShared = true
            text.moveReaderIndex(forwardBy: 1)
            return .value(.verbatim(format: format, text))
        default:
            isShared = true
            return .value(.blobString(bytes))
        }
    }

    private mutating func count(_ bytes: Int) throws(RESPParserError) {
        replyBytes += bytes
        guard replyBytes <= limits.maxReplyBytes else { throw .limit("maxReplyBytes", value: limits.maxReplyBytes) }
    }

    /// How long the line at the reader index is without its end; nil while the end has not come.
    private mutating func lineLength() throws(RESPParserError) -> Int? {
        let from = scanned
        // The offset of the first carriage return, and whether a line feed follows it (nil: not known yet).
        let found: (offset: Int, isEnd: Bool?)? = input.withUnsafeReadableBytes { bytes in
            guard let offset = bytes[min(from, bytes.count)...].firstIndex(of: 0x0D) else { return nil }
            return (offset, offset + 1 < bytes.count ? bytes[offset + 1] == 0x0A : nil)
        }
        let length = found?.offset ?? input.readableBytes
        guard length <= limits.maxLineBytes else { throw .limit("maxLineBytes", value: limits.maxLineBytes) }
        guard let found, let isEnd = found.isEnd else {
            scanned = length
            return nil
        }
        guard isEnd else { throw .malformed(type: input.getInteger(at: input.readerIndex)!, reason: "a carriage return inside a line") }
        guard length > 0 else { throw .unknownType(0x0D) }
        return length
    }
}
