public import NIOCore

/// An incremental parser of `text/event-stream` (HTML standard, section 9.2.6).
///
/// Bytes go in as they come, split anywhere; events come out whole. What a cut stream leaves unfinished is never dispatched.
/// The data of an event with one `data` line is a slice of the bytes that came in, not a copy.
public struct SSEParser: Sendable {
    /// Room for `data: ` and its like beside the payload of a line.
    private static let fieldNameAllowance = 64

    /// The last event id of the stream: what `Last-Event-ID` must be to resume after the last dispatched event.
    public private(set) var lastEventID: String?
    /// The last `retry` of the stream in milliseconds.
    public private(set) var retryMilliseconds: Int64?
    /// How many blocks with at least one known field were completed. Tells progress from keep-alive comments.
    public private(set) var completedBlocks = 0

    private let maxEventBytes: Int
    /// What is not read yet; tests look at its size.
    private(set) var buffer = ByteBuffer()
    /// How many of the buffer's readable bytes are known to hold no line end.
    private var scanned = 0
    private var isAtStart = true
    private var skipsLineFeed = false

    private var type: String?
    private var data: ByteBuffer?
    private var isDataOwned = false
    private var pendingID: String?
    private var blockHasField = false

    /// A parser at the start of a stream.
    /// - Parameters:
    ///   - maxEventBytes: the bound for the data of one event and for one line, in bytes.
    ///   - lastEventID: where a resumed stream goes on.
    public init(maxEventBytes: Int, lastEventID: String? = nil) {
        self.maxEventBytes = maxEventBytes
        self.lastEventID = lastEventID
        self.pendingID = lastEventID
    }

    /// Takes bytes of the stream. Call ``next()`` until it returns nil afterwards.
    public mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            // A stream whose chunks never end where a line does would keep all that was ever read.
            if buffer.readerIndex > buffer.readableBytes { buffer.discardReadBytes() }
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole event; nil when more bytes are needed.
    public mutating func next() throws(SSEError) -> SSEEvent? {
        if isAtStart {
            guard skipByteOrderMark() else { return nil }
        }
        while let line = try nextLine() {
            if line.readableBytes == 0 {
                if let event = endBlock() { return event }
            } else {
                try take(line)
            }
        }
        return nil
    }

    /// False when too few bytes are there to tell.
    private mutating func skipByteOrderMark() -> Bool {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let view = buffer.readableBytesView
        guard view.elementsEqual(mark.prefix(view.count)) || view.starts(with: mark) else {
            isAtStart = false
            return true
        }
        guard view.count >= mark.count else { return false }
        buffer.moveReaderIndex(forwardBy: mark.count)
        isAtStart = false
        return true
    }

    private mutating func nextLine() throws(SSEError) -> ByteBuffer? {
        if skipsLineFeed, let first = buffer.readableBytesView.first {
            skipsLineFeed = false
            if first == 0x0A { buffer.moveReaderIndex(forwardBy: 1) }
        }
        let length = buffer.withUnsafeReadableBytes { bytes -> Int? in
            var index = scanned
            while index < bytes.count {
                if bytes[index] == 0x0A || bytes[index] == 0x0D { return index }
                index += 1
            }
            return nil
        }
        let limit = maxEventBytes + Self.fieldNameAllowance
        guard let length else {
            scanned = buffer.readableBytes
            guard scanned <= limit else { throw .eventTooLarge(limit: maxEventBytes) }
            return nil
        }
        guard length <= limit else { throw .eventTooLarge(limit: maxEventBytes) }
        scanned = 0
        guard let line = buffer.readSlice(length: length), let end = buffer.readInteger(as: UInt8.self) else { return nil }
        skipsLineFeed = end == 0x0D
        return line
    }

    private mutating func take(_ line: ByteBuffer) throws(SSEError) {
        var value = line
        let colon = line.readableBytesView.firstIndex(of: UInt8(ascii: ":"))
        let nameLength = colon.map { $0 - line.readerIndex } ?? line.readableBytes
        guard nameLength > 0 else { return }
        value.moveReaderIndex(forwardBy: colon == nil ? nameLength : nameLength + 1)
        if value.readableBytesView.first == 0x20 { value.moveReaderIndex(forwardBy: 1) }
        switch Field(line.readableBytesView.prefix(nameLength)) {
        case .data: try take(data: value)
        case .event: type = String(buffer: value)
        case .id:
            guard !value.readableBytesView.contains(0) else { return }
            pendingID = value.readableBytes == 0 ? nil : String(buffer: value)
        case .retry:
            let text = String(buffer: value)
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let milliseconds = Int64(text) else { return }
            retryMilliseconds = milliseconds
        case nil: return
        }
        blockHasField = true
    }

    private mutating func take(data value: ByteBuffer) throws(SSEError) {
        // A line feed joins the lines.
        let size = (data.map { $0.readableBytes + 1 } ?? 0) + value.readableBytes
        guard size <= maxEventBytes else { throw .eventTooLarge(limit: maxEventBytes) }
        guard var joined = data else {
            data = value
            isDataOwned = false
            return
        }
        data = nil
        if !isDataOwned {
            var copy = ByteBuffer()
            copy.reserveCapacity(size)
            copy.writeImmutableBuffer(joined)
            joined = copy
            isDataOwned = true
        }
        joined.writeInteger(UInt8(0x0A))
        joined.writeImmutableBuffer(value)
        data = joined
    }

    private mutating func endBlock() -> SSEEvent? {
        if blockHasField { completedBlocks += 1 }
        blockHasField = false
        lastEventID = pendingID
        let type = self.type
        self.type = nil
        guard let data else { return nil }
        self.data = nil
        return SSEEvent(type: type.flatMap { $0.isEmpty ? nil : $0 } ?? "message", data: data, id: lastEventID)
    }

    private enum Field {
        case data, event, id, retry

        init?(_ name: ByteBufferView) {
            if name.elementsEqual("data".utf8) {
                self = .data
            } else if name.elementsEqual("event".utf8) {
                self = .event
            } else if name.elementsEqual("id".utf8) {
                self = .id
            } else if name.elementsEqual("retry".utf8) {
                self = .retry
            } else {
                return nil
            }
        }
    }
}
