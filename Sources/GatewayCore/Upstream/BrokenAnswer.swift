import MCPProtocol
import NIOCore

/// Finds out which calls answers that cannot be read were for.
enum BrokenAnswer {
    /// The calls' numbers: of one message, or of the messages of a batch. None when the bytes do not look like answers: a broken request of the
    /// server's has an id too, and it is the server's own.
    static func calls(of error: MessageError, in bytes: ByteBuffer) -> [UInt64] {
        switch error {
        case .notAMessage(_, let id):
            guard id != nil, let json = try? JSONText(validating: bytes), !json.member("method", of: json.root).isPresent,
                let call = json.callNumber(json.member("id", of: json.root))
            else { return [] }
            return [call]
        case .malformed:
            return bytes.withUnsafeReadableBytes { pointer in
                var scan = BrokenAnswerScan(bytes: pointer)
                return scan.run()
            }
        }
    }
}

extension JSONText {
    /// The number of a call in an id or progress token of the server's: as it was given, or in quotes, as some servers give it back.
    func callNumber(_ span: JSONSpan) -> UInt64? { unsigned(span) ?? string(span).flatMap { UInt64($0) } }
}

/// Looks for the envelope of answers in what is no JSON: bytes that are no UTF-8, nested too deeply, cut off. It follows strings and brackets, so
/// that the `id` it finds is the message's and not one within the result.
private struct BrokenAnswerScan {
    private struct Envelope {
        var hasVersion = false
        var isAnswer = false
        var isRequest = false
        var ids: Set<UInt64> = []
    }

    let bytes: UnsafeRawBufferPointer
    private var envelope: Envelope?
    private var calls: [UInt64] = []

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func run() -> [UInt64] {
        var position = skippingSpace(from: 0)
        guard position < bytes.count, bytes[position] == UInt8(ascii: "{") || bytes[position] == UInt8(ascii: "[") else { return [] }
        /// How deep the members of a message are.
        let level = bytes[position] == UInt8(ascii: "{") ? 1 : 2
        var depth = 0
        var isKeyDue = false
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == level {
                    envelope = byte == UInt8(ascii: "{") ? Envelope() : nil
                    isKeyDue = true
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == level { messageEnded() }
                depth -= 1
                // What follows is no part of the message.
                if depth == 0 { return calls }
            case UInt8(ascii: ","):
                if depth == level { isKeyDue = true }
            case UInt8(ascii: "\""):
                let end = endOfString(at: position)
                if depth == level, isKeyDue {
                    isKeyDue = false
                    note(position + 1..<end)
                }
                position = end
            default: break
            }
            position += 1
        }
        messageEnded()
        return calls
    }

    private mutating func messageEnded() {
        if let envelope, envelope.hasVersion, envelope.isAnswer, !envelope.isRequest, envelope.ids.count == 1, let call = envelope.ids.first
        {
            calls.append(call)
        }
        envelope = nil
    }

    /// Takes the member with the key at `range`.
    private mutating func note(_ range: Range<Int>) {
        let colon = skippingSpace(from: range.upperBound + 1)
        guard colon < bytes.count, bytes[colon] == UInt8(ascii: ":") else { return }
        switch String(decoding: bytes[range].prefix(8), as: UTF8.self) {
        case "jsonrpc": envelope?.hasVersion = true
        case "result", "error": envelope?.isAnswer = true
        case "method": envelope?.isRequest = true
        case "id": if let call = number(at: skippingSpace(from: colon + 1)) { envelope?.ids.insert(call) }
        default: break
        }
    }

    /// The number there, in quotes or not; nil for anything else, and for what may be the beginning of one.
    private func number(at start: Int) -> UInt64? {
        let isQuoted = start < bytes.count && bytes[start] == UInt8(ascii: "\"")
        let first = isQuoted ? start + 1 : start
        var end = first
        while end < bytes.count, bytes[end] &- UInt8(ascii: "0") < 10 { end += 1 }
        guard end < bytes.count, end - first <= 20 else { return nil }
        switch bytes[end] {
        case UInt8(ascii: "\"") where isQuoted: break
        case UInt8(ascii: ","), UInt8(ascii: "}"), 0x20, 0x09: if isQuoted { return nil }
        // Of "1.5" the 1 is nobody's id.
        default: return nil
        }
        return UInt64(String(decoding: bytes[first..<end], as: UTF8.self))
    }

    private func endOfString(at start: Int) -> Int {
        var position = start + 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") { position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(position, bytes.count)
    }

    private func skippingSpace(from start: Int) -> Int {
        var position = start
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        return position
    }
}
