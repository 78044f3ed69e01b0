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
    static func preflight(methods: String) -> [(String, String)] {
        [
            ("allow", methods), ("access-control-allow-methods", methods), ("access-control-allow-headers", requestHeaders),
            ("access-control-max-age", maxAge),
        ]
    }
}
