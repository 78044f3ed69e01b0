import NIOHTTP1

/// Cross-origin resource sharing (Fetch standard, section 3.2) for the origins that may call.
enum CrossOrigin {
    /// What a page may send.
    private static let requestHeaders =
        "content-type, accept, authorization, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name, x-session-id, x-request-id, traceparent, tracestate"
    /// What a page may read.
    private static let responseHeaders = "mcp-session-id, retry-after, x-request-id"
    /// Seconds for which a browser may keep the answer to a preflight.
    private static let maxAge = "600"

    /// Lets the page of `origin` read a response.
    static func allow(_ origin: String, in headers: inout HTTPHeaders) {
        headers.replaceOrAdd(name: "access-control-allow-origin", value: origin)
        headers.replaceOrAdd(name: "access-control-expose-headers", value: responseHeaders)
        headers.add(name: "vary", value: "origin")
    }

    /// What an OPTIONS request for a route gets.
    ///
    /// - Parameter requested: what the page asks for (`Access-Control-Request-Headers`). The fields of tools' parameters have names that only
    ///   the tools know, so they are allowed as they are asked for.
    static func preflight(methods: String, requested: String?) -> [(String, String)] {
        let parameters = (requested ?? "").split(separator: ",").map { $0.trimmingPrefix(while: { $0 == " " }) }.filter {
            $0.lowercased().hasPrefix("mcp-param-") && $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        return [
            ("allow", methods), ("access-control-allow-methods", methods),
            ("access-control-allow-headers", ([requestHeaders[...]] + parameters).joined(separator: ", ")),
            ("access-control-max-age", maxAge),
        ]
    }
}
