import NIOCore
import NIOHTTP1

/// NIO's request decoder, which says "unknown" both for a header beyond its bound and for a malformed one: this one tells them apart by
/// counting.
final class RequestDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPServerRequestPart

    private let base: HTTPRequestDecoder
    private let maxHeaderBytes: Int
    /// Bytes of a whole request as it is on the wire: a client could send chunk headers without end.
    private let maxWireBytes: Int
    /// Bytes since the last complete request that the parser has taken.
    private var takenBytes = 0
    /// A request ended within the bytes that are being parsed.
    private var hasEnded = false
    private var hasHead = false
    /// What a header begins with that is not complete, as far as it decides how an error is worded.
    private var beginning: [UInt8] = []
    /// Enough for any method and the beginning of a path.
    private static let beginningBytes = 32

    init(maxHeaderBytes: Int, maxBodyBytes: Int) {
        maxWireBytes = maxHeaderBytes + 2 * maxBodyBytes + 64 << 10
        self.maxHeaderBytes = maxHeaderBytes
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = maxHeaderBytes
        limits.maxHeaderFieldSize = maxHeaderBytes
        base = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    }

    /// The header is complete.
    func headEnded() {
        hasHead = true
        if !beginning.isEmpty { beginning = [] }
    }

    /// A request is complete; what comes is the next one's.
    func requestEnded() {
        hasEnded = true
        hasHead = false
        takenBytes = 0
    }

    /// Whether the header that is coming in is that of a request for the REST API, as far as it is here.
    var beginsREST: Bool {
        let parts = beginning.split(separator: UInt8(ascii: " "), maxSplits: 1)
        guard parts.count == 2 else { return false }
        return parts[1].starts(with: "/api/".utf8) || parts[1].starts(with: "/sse/events".utf8)
    }

    func decoderAdded(context: ChannelHandlerContext) { base.decoderAdded(context: context) }
    func decoderRemoved(context: ChannelHandlerContext) { base.decoderRemoved(context: context) }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        try limited(buffer: &buffer) { try base.decode(context: context, buffer: &$0) }
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        try limited(buffer: &buffer) { try base.decodeLast(context: context, buffer: &$0, seenEOF: seenEOF) }
    }

    private func limited(buffer: inout ByteBuffer, _ body: (inout ByteBuffer) throws -> DecodingState) throws -> DecodingState {
        let before = buffer.readableBytes
        let start = buffer
        hasEnded = false
        do {
            let state = try body(&buffer)
            if !hasEnded {
                if !hasHead { remember(start) }
                takenBytes += before - buffer.readableBytes
            }
            guard takenBytes <= maxWireBytes else { throw HTTPParserError.invalidChunkSize }
            return state
        } catch let error as HTTPParserError {
            if !hasEnded, !hasHead { remember(start) }
            guard error == .unknown else { throw error }
            throw takenBytes + before > maxHeaderBytes ? HTTPParserError.headerOverflow : error
        }
    }

    private func remember(_ bytes: ByteBuffer) {
        guard takenBytes < Self.beginningBytes else { return }
        // The parser leaves a part that it has not seen the end of in the buffer; it comes again, with more behind it.
        beginning.removeLast(max(0, beginning.count - takenBytes))
        beginning.append(contentsOf: bytes.readableBytesView.prefix(Self.beginningBytes - takenBytes))
    }
}
