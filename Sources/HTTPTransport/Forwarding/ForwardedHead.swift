import NIOHTTP1

/// The heads of a request that is passed on and of its answer.
enum ForwardedHead {
    /// Says who passes a request on, signed (``GatewayCore/ForwardingAuthority``).
    static let field = "mcp-gateway-forward"
    /// Bytes that are added to a header at most: what one instance takes the next one must take, too.
    static let addedBytes = 1024
    /// Of the answer to a request that another instance has to serve: which one has the session, if that is known.
    static let homeField = "mcp-gateway-home"

    /// Fields that are between the two ends of one connection (RFC 9110, section 7.6.1).
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "content-length",
    ]
    /// Of a request: what the first instance has checked, and answers for itself.
    private static let ownOfRequest: Set<String> = ["origin", "x-request-id", field]
    private static let ownOfResponse: Set<String> = [
        "x-request-id", "vary", "access-control-allow-origin", "access-control-expose-headers", homeField,
    ]

    /// What of a head is signed besides the method: the target, and the fields that say whose request it is and from where on.
    static func signed(_ head: HTTPRequestHead) -> String {
        ["mcp-session-id", "x-session-id", "last-event-id"].reduce(head.uri) { $0 + "\n" + head.headers[$1].joined(separator: ",") }
    }

    static func request(
        _ head: HTTPRequestHead, host: String, bodyBytes: Int, requestID: String, signature: String
    ) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 4)
        headers.add(name: "host", value: host)
        for (name, value) in head.headers {
            let lower = name.lowercased()
            if !hopByHop.contains(lower), !ownOfRequest.contains(lower) { headers.add(name: name, value: value) }
        }
        headers.add(name: "x-request-id", value: requestID)
        headers.add(name: field, value: signature)
        if bodyBytes > 0 || head.method == .POST { headers.add(name: "content-length", value: String(bodyBytes)) }
        return HTTPRequestHead(version: .http1_1, method: head.method, uri: head.uri, headers: headers)
    }

    /// What the client gets of the answer's fields. The length stays, where there is one.
    static func responseFields(_ head: HTTPResponseHead) -> HTTPHeaders {
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 4)
        for (name, value) in head.headers {
            let lower = name.lowercased()
            guard !ownOfResponse.contains(lower), lower == "content-length" || !hopByHop.contains(lower) else { continue }
            headers.add(name: name, value: value)
        }
        return headers
    }
}
