import NIOCore
import ServerSentEvents

/// `SSEParser` gives the same events however the bytes are cut, and reads what `SSEEncoder` wrote.
enum SSETarget {
    /// Few, so that inputs get there.
    private static let maxEventBytes = 256

    static func run(_ input: UnsafeRawBufferPointer) {
        let bytes = ByteBuffer(embedding: input)
        let whole = parse(bytes, cuts: [])
        if input.count <= 64 {
            require(parse(bytes, cuts: Array(0...bytes.readableBytes)) == whole, "a stream byte by byte has the same events")
        }
        var cuts = Cuts(seed: input)
        require(parse(bytes, cuts: cuts.next(upTo: bytes.readableBytes)) == whole, "a stream in pieces has the same events")
        for event in whole.events {
            require(event.data.readableBytes <= maxEventBytes, "no event is larger than allowed")
            require(!event.data.readableBytesView.contains(0x0D), "the lines of an event are joined by line feeds")
            require(event.id?.utf8.contains { $0 == 0 || $0 == 0x0A || $0 == 0x0D } != true, "an id is one line without NUL")
        }
        roundTrip(bytes, cuts: &cuts)
    }

    private static func roundTrip(_ message: ByteBuffer, cuts: inout Cuts) {
        guard message.readableBytes <= maxEventBytes else { return }
        let id = SSEEventID(stream: "l2abc", sequence: cuts.number())
        var stream = ByteBuffer()
        SSEEncoder.writePriming(id: SSEEventID(stream: "l2abc", sequence: 0), retry: .milliseconds(2500), to: &stream)
        SSEEncoder.write(message, id: id, to: &stream)
        stream.writeImmutableBuffer(SSEEncoder.keepAlive)
        SSEEncoder.write(message, id: nil, event: "progress", to: &stream)
        SSEEncoder.writeRetry(.seconds(3), to: &stream)
        var data = ByteBuffer()
        data.writeBytes(message.readableBytesView.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        let name = "l2abc.\(id.sequence)"
        let expected = Reading(
            events: [
                SSEEvent(data: ByteBuffer(), id: "l2abc.0"), SSEEvent(data: data, id: name),
                SSEEvent(type: "progress", data: data, id: name),
            ],
            failure: nil, lastEventID: name, retry: 3000, blocks: 4)
        let read = parse(stream, cuts: cuts.next(upTo: stream.readableBytes))
        require(read == expected, "what was written is read: \(read)")
    }

    private struct Reading: Equatable {
        var events: [SSEEvent] = []
        var failure: SSEError?
        var lastEventID: String?
        var retry: Int64?
        var blocks = 0
    }

    /// Cuts are offsets in ascending order.
    private static func parse(_ bytes: ByteBuffer, cuts: [Int]) -> Reading {
        var parser = SSEParser(maxEventBytes: maxEventBytes)
        var reading = Reading()
        var rest = bytes
        var position = 0
        do throws(SSEError) {
            for cut in cuts + [bytes.readableBytes] {
                guard let piece = rest.readSlice(length: cut - position) else { break }
                position = cut
                parser.append(piece)
                while let event = try parser.next() { reading.events.append(event) }
            }
        } catch {
            reading.failure = error
        }
        reading.lastEventID = parser.lastEventID
        reading.retry = parser.retryMilliseconds
        reading.blocks = parser.completedBlocks
        return reading
    }
}
