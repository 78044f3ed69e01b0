import MCPProtocol
import NIOHTTP1

/// The header fields that decide something before a handler runs, picked out in one pass.
struct RequestHead {
    let method: HTTPMethod
    let isKeepAlive: Bool
    /// `Mcp-Session-Id`, or `X-Session-ID` of the REST API.
    var sessionID: String?
    var apiSessionID: String?
    /// `MCP-Protocol-Version`, and the revision if it is the name of one.
    var protocolVersion: String?
    var revision: Revision?
    var accept: String?
    var contentType: String?
    var contentEncoding: String?
    var origin: String?
    var host: String?
    var lastEventID: String?
    var contentLength: Int?
    var requestID: String?
    var traceparent: String?
    var tracestate: String?
    /// `Mcp-Method` and `Mcp-Name`: what the body says, for those that do not read it.
    var mcpMethod: String?
    var mcpName: String?
    /// One of them stands twice.
    var repeatsMirrored = false
    /// `Mcp-Param-*`: names without the prefix, with values, as often as they stand there.
    var parameters: [(name: String, value: String)] = []
    /// What another instance says that has passed the request on (`Mcp-Gateway-Forward`).
    var forward: String?
    /// Of a preflight: the fields that a page wants to send.
    var requestedFields: String?
    var expectsContinue = false
    var isChunked = false
    /// A transfer coding other than `chunked`: where the body ends is anybody's guess.
    var hasOddCoding = false
    /// The client offers to speak another protocol, after which NIO's parser reads no more.
    var offersUpgrade = false
    let version: HTTPVersion
    /// A field that may stand once stands twice: which one counts would be anybody's guess.
    var isAmbiguous = false

    init(_ head: HTTPRequestHead) {
        method = head.method
        isKeepAlive = head.isKeepAlive
        version = head.version
        for (name, raw) in head.headers {
            let value = raw.withoutTrailingSpace
            if let parameter = name.parameterName {
                parameters.append((parameter, value))
                continue
            }
            // The length decides most fields without comparing characters.
            switch name.utf8.count {
            case 4 where name.isField("host"):
                isAmbiguous = isAmbiguous || host != nil
                host = value
            case 6:
                if name.isField("accept") {
                    accept = accept.map { $0 + "," + value } ?? value
                } else if name.isField("origin") {
                    isAmbiguous = isAmbiguous || origin != nil
                    origin = value
                } else if name.isField("expect") {
                    expectsContinue = value.lowercased() == "100-continue"
                }
            case 7 where name.isField("upgrade"): offersUpgrade = true
            case 8 where name.isField("mcp-name"):
                repeatsMirrored = repeatsMirrored || mcpName != nil
                mcpName = value
            case 10:
                if name.isField("tracestate") {
                    tracestate = tracestate.map { $0 + "," + value } ?? value
                } else if name.isField("mcp-method") {
                    repeatsMirrored = repeatsMirrored || mcpMethod != nil
                    mcpMethod = value
                }
            case 11 where name.isField("traceparent"): traceparent = value
            case 12:
                if name.isField("content-type") {
                    isAmbiguous = isAmbiguous || contentType != nil
                    contentType = value
                } else if name.isField("x-session-id") {
                    isAmbiguous = isAmbiguous || apiSessionID != nil
                    apiSessionID = value
                } else if name.isField("x-request-id") {
                    requestID = value
                }
            case 13 where name.isField("last-event-id"):
                isAmbiguous = isAmbiguous || lastEventID != nil
                lastEventID = value
            case 14:
                if name.isField("mcp-session-id") {
                    isAmbiguous = isAmbiguous || sessionID != nil
                    sessionID = value
                } else if name.isField("content-length") {
                    // What no Int holds is larger than any limit.
                    contentLength = Int(value) ?? .max
                }
            case 16 where name.isField("content-encoding"): contentEncoding = value
            case 17 where name.isField("transfer-encoding"):
                hasOddCoding = hasOddCoding || isChunked || value.lowercased() != "chunked"
                isChunked = true
            case 19 where name.isField("mcp-gateway-forward"): forward = value
            case 20 where name.isField("mcp-protocol-version"):
                isAmbiguous = isAmbiguous || protocolVersion != nil
                protocolVersion = value
                revision = Revision(rawValue: value)
            case 30 where name.isField("access-control-request-headers"): requestedFields = value
            default: break
            }
        }
    }

    /// It names a revision that has no `initialize`, or one that nobody knows: a modern request, unless the body says otherwise.
    var namesModernRevision: Bool { protocolVersion != nil && revision?.era != .legacy }

    /// It names a revision that has no `initialize`.
    var isOfModernRevision: Bool { revision?.era == .modern }

    /// Whether a body may follow.
    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }
}

extension String {
    /// White space after a value is no part of it (RFC 9110, section 5.5).
    fileprivate var withoutTrailingSpace: String {
        guard let last = utf8.last, last == 0x20 || last == 0x09 else { return self }
        var end = utf8.endIndex
        while end > utf8.startIndex {
            let before = utf8.index(before: end)
            guard utf8[before] == 0x20 || utf8[before] == 0x09 else { break }
            end = before
        }
        return String(self[..<end])
    }

    /// What follows `Mcp-Param-` in a field's name. Asked of every field: it looks at few bytes of most and allocates for none but its own.
    fileprivate var parameterName: String? {
        guard utf8.count > 10, isField("mcp-param-", asPrefix: true) else { return nil }
        return String(self[utf8.index(startIndex, offsetBy: 10)...])
    }

    /// Compares a field name without regard to case. `lowercase` must be lower case.
    ///
    /// - Parameter asPrefix: more may follow.
    func isField(_ lowercase: StaticString, asPrefix: Bool = false) -> Bool {
        var index = 0
        let count = lowercase.utf8CodeUnitCount
        for byte in utf8 {
            guard index < count else { return asPrefix }
            let lower = byte &- 0x41 < 26 ? byte | 0x20 : byte
            guard lower == lowercase.utf8Start[index] else { return false }
            index += 1
        }
        return index == count
    }
}
