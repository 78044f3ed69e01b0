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

    init(maxHeaderBytes: Int, maxBodyBytes: Int) {
        maxWireBytes = maxHeaderBytes + 2 * maxBodyBytes + 64 << 10
        self.maxHeaderBytes = maxHeaderBytes
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = maxHeaderBytes
        limits.maxHeaderFieldSize = maxHeaderBytes
        base = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
    }

    /// A request is complete; what comes is the next one's.
    func requestEnded() { takenBytes = 0 }

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
        do {
            let state = try body(&buffer)
            takenBytes += before - buffer.readableBytes
            guard takenBytes <= maxWireBytes else { throw HTTPParserError.invalidChunkSize }
            return state
        } catch let error as HTTPParserError where error == .unknown {
            throw takenBytes + before > maxHeaderBytes ? HTTPParserError.headerOverflow : error
        }
    }
}
