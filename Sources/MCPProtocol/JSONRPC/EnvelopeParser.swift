import NIOCore

/// Reads the members of a JSON-RPC message's outermost object.
enum EnvelopeParser {
    private struct Members {
        var version = JSONSpan.absent
        var id = JSONSpan.absent
        var method = JSONSpan.absent
        var params = JSONSpan.absent
        var result = JSONSpan.absent
        var error = JSONSpan.absent
    }

    static func parse(_ scanner: inout JSONScanner, bytes: ByteBuffer) throws(MessageError) -> Message {
        let (members, routing, root): (Members, RoutingParams, JSONSpan)
        do throws(JSONScanError) {
            (members, routing, root) = try scan(&scanner)
        } catch {
            throw .malformed(error)
        }
        return try message(members, routing: routing, root: root, scanner: scanner, bytes: bytes)
    }

    private static func scan(_ scanner: inout JSONScanner) throws(JSONScanError) -> (Members, RoutingParams, JSONSpan) {
        var members = Members()
        var routing = RoutingParams()
        scanner.skipWhitespace()
        let start = scanner.position
        guard try scanner.peek() == UInt8(ascii: "{") else {
            _ = try scanner.nextValue(depth: 0)
            try end(&scanner)
            return (members, routing, JSONSpan(start, start))
        }
        try scanner.beginObject(depth: 0)
        while let (key, offset) = try scanner.nextKey() {
            let valueStart = scanner.position
            if isParams(key), try scanner.peek() == UInt8(ascii: "{") {
                try routing.scan(&scanner)
            } else {
                _ = try scanner.nextValue(depth: 1)
            }
            guard note(key, JSONSpan(valueStart, scanner.position), in: &members) else { throw JSONScanError(.duplicateKey, at: offset) }
        }
        let root = JSONSpan(start, scanner.position)
        try end(&scanner)
        return (members, routing, root)
    }

    private static func isParams(_ key: UnsafeRawBufferPointer) -> Bool {
        key.equals("params") || key.contains(UInt8(ascii: "\\")) && decodeJSONStringContent(key) == "params"
    }

    private static func end(_ scanner: inout JSONScanner) throws(JSONScanError) {
        scanner.skipWhitespace()
        guard scanner.position == scanner.bytes.count else { throw JSONScanError(.trailingBytes, at: scanner.position) }
    }

    /// Stores an envelope member; false when it was there before.
    private static func note(_ key: UnsafeRawBufferPointer, _ value: JSONSpan, in members: inout Members) -> Bool {
        // A key may be written with escapes; it is the same key then.
        if key.contains(UInt8(ascii: "\\")) {
            let decoded = decodeJSONStringContent(key)
            return decoded.utf8CString.withUnsafeBytes {
                note(decoded: UnsafeRawBufferPointer(rebasing: $0.dropLast()), value, in: &members)
            }
        }
        return note(decoded: key, value, in: &members)
    }

    private static func note(decoded key: UnsafeRawBufferPointer, _ value: JSONSpan, in members: inout Members) -> Bool {
        func set(_ member: inout JSONSpan) -> Bool {
            guard !member.isPresent else { return false }
            member = value
            return true
        }
        switch key.count {
        case 2 where key.equals("id"): return set(&members.id)
        case 5 where key.equals("error"): return set(&members.error)
        case 6 where key.equals("method"): return set(&members.method)
        case 6 where key.equals("params"): return set(&members.params)
        case 6 where key.equals("result"): return set(&members.result)
        case 7 where key.equals("jsonrpc"): return set(&members.version)
        default: return true
        }
    }

    /// A string or an integer (basic, "Requests").
    private static func isID(_ value: UnsafeRawBufferPointer) -> Bool {
        switch value.first ?? 0 {
        case UInt8(ascii: "\""): true
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            !value.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
        default: false
        }
    }

    private static func message(
        _ members: Members, routing: RoutingParams, root: JSONSpan, scanner: JSONScanner, bytes: ByteBuffer
    ) throws(MessageError) -> Message {
        let pointer = scanner.bytes
        func first(_ span: JSONSpan) -> UInt8 { pointer[Int(span.start)] }
        func refuse(_ reason: String) -> MessageError {
            let isUsable = members.id.isPresent && isID(UnsafeRawBufferPointer(rebasing: pointer[members.id.range]))
            let id = isUsable ? bytes.getSlice(at: bytes.readerIndex + Int(members.id.start), length: members.id.count) : nil
            return .notAMessage(reason: reason, id: id)
        }
        guard root.count > 0 else { throw refuse("a message must be a JSON object") }
        guard members.version.isPresent, UnsafeRawBufferPointer(rebasing: pointer[members.version.range]).equals("\"2.0\"") else {
            throw refuse("\"jsonrpc\" must be \"2.0\"")
        }
        var isNullID = false
        if members.id.isPresent {
            switch first(members.id) {
            case UInt8(ascii: "n"): isNullID = true
            default:
                guard isID(UnsafeRawBufferPointer(rebasing: pointer[members.id.range])) else {
                    throw refuse("\"id\" must be a string or an integer")
                }
            }
        }
        let kind: Message.Kind
        if members.method.isPresent {
            guard first(members.method) == UInt8(ascii: "\"") else { throw refuse("\"method\" must be a string") }
            guard !members.result.isPresent, !members.error.isPresent else {
                throw refuse("a message has either \"method\" or \"result\" or \"error\"")
            }
            guard !members.params.isPresent || first(members.params) == UInt8(ascii: "{") else {
                throw refuse("\"params\" must be an object")
            }
            guard !isNullID else { throw refuse("\"id\" must not be null") }
            kind = members.id.isPresent ? .request : .notification
        } else if members.result.isPresent {
            guard members.id.isPresent, !isNullID else { throw refuse("a response must have the \"id\" of its request") }
            guard !members.error.isPresent else { throw refuse("a response has either \"result\" or \"error\"") }
            kind = .response
        } else if members.error.isPresent {
            guard first(members.error) == UInt8(ascii: "{") else { throw refuse("\"error\" must be an object") }
            kind = .errorResponse
        } else {
            throw refuse("a message needs \"method\", \"result\" or \"error\"")
        }
        return Message(
            bytes: bytes, root: root, kind: kind, id: members.id, method: members.method, params: members.params,
            routing: routing, result: members.result, error: members.error, hasLineBreaks: scanner.sawLineBreak)
    }
}
