public import NIOCore

/// The trace a request belongs to (W3C Trace Context). The gateway records no spans of its own, so it passes the context on as it came
/// (section 3.3, "forwarding").
public struct TraceContext: Sendable, Hashable {
    /// `version-traceid-parentid-flags`, valid.
    public let traceparent: String
    /// Passed on with `traceparent`, never alone.
    public let tracestate: String?

    /// Nil when `traceparent` is not valid (section 3.2.2): the context is ignored then.
    public init?(traceparent: String, tracestate: String?) {
        guard Self.isValid(traceparent) else { return nil }
        self.traceparent = traceparent
        self.tracestate = tracestate.flatMap { Self.isUsable($0) ? $0 : nil }
    }

    /// The 32 hexadecimal digits that all requests of a trace share.
    public var traceID: String { String(traceparent.dropFirst(3).prefix(32)) }

    private static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(56))
        // Version 00 has exactly 55 characters; a later one may go on after a dash.
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash else { return false }
        let parts = [bytes[0..<2], bytes[3..<35], bytes[36..<52], bytes[53..<55]]
        guard parts.allSatisfy({ $0.allSatisfy(isLowercaseHex) }), !parts[0].allSatisfy({ $0 == UInt8(ascii: "f") }) else { return false }
        guard !parts[1].allSatisfy({ $0 == UInt8(ascii: "0") }), !parts[2].allSatisfy({ $0 == UInt8(ascii: "0") }) else { return false }
        let isVersion0 = parts[0].allSatisfy { $0 == UInt8(ascii: "0") }
        guard text.utf8.count <= 512, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return false }
        return isVersion0 ? text.utf8.count == 55 : bytes.count == 55 || bytes[55] == dash
    }

    /// Section 3.3.1: printable, and not longer than everybody must pass on.
    private static func isUsable(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 512 && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }

    private static let dash = UInt8(ascii: "-")

    private static func isLowercaseHex(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 || byte &- 0x61 < 6 }
}

extension TraceContext {
    /// The context that a message carries in `params._meta` (2026-07-28, basic, "`_meta`").
    public init?(meta message: Message) {
        let routing = message.routing
        guard routing.traceparent.isPresent, let traceparent = message.json.string(routing.traceparent) else { return nil }
        self.init(traceparent: traceparent, tracestate: message.json.string(routing.tracestate))
    }

    /// The raw members for `params._meta` of a request that has no context of its own; nil when it has.
    public func members(for message: Message) -> ByteBuffer? {
        let routing = message.routing
        guard !routing.traceparent.isPresent else { return nil }
        var members = ByteBuffer(string: "\"traceparent\":\"\(traceparent)\"")
        if let tracestate, !routing.tracestate.isPresent {
            members.writeStaticString(",\"tracestate\":")
            members.writeJSONString(tracestate)
        }
        return members
    }
}
