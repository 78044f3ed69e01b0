import NIOCore
import RESP

/// `RESPParser` reads the same values however the bytes are cut, holds its bounds, and reads what was written.
enum RESPTarget {
    /// Small, so that inputs get there.
    private static let limits = {
        var limits = RESPLimits()
        limits.maxDepth = 5
        limits.maxBlobBytes = 64
        limits.maxElements = 16
        limits.maxLineBytes = 48
        limits.maxReplyBytes = 512
        return limits
    }()

    static func run(_ input: UnsafeRawBufferPointer) {
        let bytes = ByteBuffer(embedding: input)
        let whole = parse(bytes, cuts: [], limits: limits)
        if input.count <= 64 {
            require(parse(bytes, cuts: Array(0...bytes.readableBytes), limits: limits) == whole, "byte by byte the values are the same")
        }
        var cuts = Cuts(seed: input)
        require(parse(bytes, cuts: cuts.next(upTo: bytes.readableBytes), limits: limits) == whole, "in pieces the values are the same")
        for value in whole.values { check(value, depth: 0) }
        // Values are compared as they are written, because a number that is none equals not even itself.
        let again = parse(whole.written, cuts: cuts.next(upTo: whole.written.readableBytes), limits: RESPLimits())
        require(again.failure == nil && !again.isInside, "what was written can be read")
        require(again.written == whole.written, "what was written is what is read")
    }

    private static func check(_ value: RESPValue, depth: Int) {
        require(depth <= limits.maxDepth, "no value is deeper than allowed")
        switch value {
        case .array(let elements), .set(let elements), .push(let elements):
            if case .push = value { require(depth == 0, "a push is inside nothing") }
            require(elements.count <= limits.maxElements, "no aggregate is larger than allowed")
            for element in elements { check(element, depth: depth + 1) }
        case .map(let entries):
            require(entries.count * 2 <= limits.maxElements, "no map is larger than allowed")
            for entry in entries {
                check(entry.key, depth: depth + 1)
                check(entry.value, depth: depth + 1)
            }
        case .blobString(let bytes), .verbatim(_, let bytes):
            require(bytes.readableBytes <= limits.maxBlobBytes, "no blob is larger than allowed")
        case .null, .simpleString, .error, .integer, .double, .boolean, .bigNumber: break
        }
        // The readers take any value.
        _ = (value.text, value.bytes, value.int, value.number, value.elements, value.entries, value.isNull, value.kind)
    }

    private struct Reading: Equatable {
        var values: [RESPValue] = []
        var written = ByteBuffer()
        var failure: RESPParserError?
        var isInside = false

        static func == (one: Reading, other: Reading) -> Bool {
            one.written == other.written && one.failure == other.failure && one.isInside == other.isInside
        }
    }

    /// Cuts are offsets in ascending order.
    private static func parse(_ bytes: ByteBuffer, cuts: [Int], limits: RESPLimits) -> Reading {
        var parser = RESPParser(limits: limits)
        var reading = Reading()
        var rest = bytes
        var position = 0
        do throws(RESPParserError) {
            for cut in cuts + [bytes.readableBytes] {
                guard let piece = rest.readSlice(length: cut - position) else { break }
                position = cut
                parser.append(piece)
                while let value = try parser.next() { reading.values.append(value) }
            }
        } catch {
            reading.failure = error
        }
        reading.isInside = reading.failure == nil && parser.isInsideValue
        for value in reading.values { value.write(to: &reading.written) }
        return reading
    }
}
