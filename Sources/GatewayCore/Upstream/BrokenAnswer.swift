import MCPProtocol
import NIOCore

/// Finds out which call an answer that cannot be read was for.
enum BrokenAnswer {
    /// The call's number; nil when the bytes do not look like an answer at all.
    static func call(of error: MessageError, in bytes: ByteBuffer) -> UInt64? {
        if let id = error.id {
            guard let json = try? JSONText(validating: id) else { return nil }
            return json.unsigned(json.root) ?? json.string(json.root).flatMap { UInt64($0) }
        }
        return scan(bytes.readableBytesView)
    }

    /// Looks for `"id": <digits>` in what is no JSON (bytes that are no UTF-8, nested too deeply, cut off) but calls itself JSON-RPC.
    private static func scan(_ bytes: ByteBufferView) -> UInt64? {
        guard bytes.firstRange(of: "\"jsonrpc\"".utf8) != nil, let key = bytes.firstRange(of: "\"id\"".utf8) else { return nil }
        var rest = bytes[key.upperBound...].drop(while: isSpace)
        guard rest.popFirst() == UInt8(ascii: ":") else { return nil }
        rest = rest.drop(while: isSpace)
        let digits = rest.prefix { $0 &- UInt8(ascii: "0") < 10 }
        // Of "1.5" the 1 is nobody's id.
        guard let end = rest.dropFirst(digits.count).first, end == UInt8(ascii: ",") || end == UInt8(ascii: "}") || isSpace(end) else {
            return nil
        }
        return UInt64(String(decoding: digits.prefix(20), as: UTF8.self))
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
