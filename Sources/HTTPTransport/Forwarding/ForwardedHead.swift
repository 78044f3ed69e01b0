import NIOHTTP1

/// The heads of a request that is passed on and of its answer.
enum ForwardedHead {
    /// Says who passes a request on, signed (``GatewayCore/ForwardingAuthority``).
    static let field = "mcp-gateway-forward"
    /// Bytes that are added to a header at most: what one instance takes the next one must take, too.
    static let addedBytes = 1024
    /// Of the answer to a request that another instance has to serve: which one has the session, if that is known.
    static let homeField = "mcp-gateway-home"
    /// Of the same answer: that the instance does not have the session and cannot ask the store where it is.
    static let withoutField = "mcp-gateway-without"

    /// Fields that are between the two ends of one connection (RFC 9110, section 7.6.1), and the length, which is written anew.
    private static func isHopByHop(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2: name.isField("te")
        case 4: name.isField("host")
        case 6: name.isField("expect")
        case 7: name.isField("trailer") || name.isField("upgrade")
        case 10: name.isField("connection") || name.isField("keep-alive")
        case 14: name.isField("content-length")
        case 16: name.isField("proxy-connection")
        case 17: name.isField("transfer-encoding")
        default: false
        }
    }

    /// Of a request: what the first instance has checked, and answers for itself.
    private static func isOwnOfRequest(_ name: String) -> Bool {
        switch name.utf8.count {
        case 6: name.isField("origin")
        case 12: name.isField("x-request-id")
        case 19: name.isField("mcp-gateway-forward")
        default: false
        }
    }

    private static func isOwnOfResponse(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: name.isField("vary")
        case 12: name.isField("x-request-id")
        case 16: name.isField("mcp-gateway-home")
        case 19: name.isField("mcp-gateway-without")
        case 27: name.isField("access-control-allow-origin")
        case 29: name.isField("access-control-expose-headers")
        default: false
        }
    }

    /// Fields that are signed, because they say whose request it is and from where on.
    private static func isSigned(_ name: String) -> Bool {
        switch name.utf8.count {
        case 12: name.isField("x-session-id")
        case 13: name.isField("last-event-id")
        case 14: name.isField("mcp-session-id")
        default: false
        }
    }

    /// What of a head is signed besides the method: the target, and the fields that say whose request it is and from where on.
    static func signed(_ head: HTTPRequestHead) -> String {
        var values: (session: String?, apiSession: String?, position: String?)
        for (name, value) in head.headers where isSigned(name) {
            switch name.utf8.count {
            case 12: values.apiSession.join(value)
            case 13: values.position.join(value)
            default: values.session.join(value)
            }
        }
        return "\(head.uri)\n\(values.session ?? "")\n\(values.apiSession ?? "")\n\(values.position ?? "")"
    }

    /// Copies what is for whoever serves the request, or gets the answer: fields that are between the two ends of a connection are not, nor those
    /// that `Connection` names (RFC 9110, section 7.6.1). Those that are signed stay: this gateway reads them, whichever instance it is.
    private static func add(_ fields: HTTPHeaders, to headers: inout HTTPHeaders, unless isLeftOut: (String) -> Bool) {
        var named: [String] = []
        for (name, value) in fields {
            guard !isLeftOut(name) else { continue }
            if !isHopByHop(name) {
                headers.add(name: name, value: value)
            } else if name.isField("connection"), !value.isField("keep-alive"), !value.isField("close") {
                named += value.split { $0 == "," || $0 == " " || $0 == "\t" }.map(String.init)
            }
        }
        for name in named where !isHopByHop(name) && !isSigned(name) { headers.remove(name: name) }
    }

    static func request(
        _ head: HTTPRequestHead, host: String, bodyBytes: Int, requestID: String, signature: String
    ) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 4)
        add(head.headers, to: &headers, unless: isOwnOfRequest)
        headers.add(name: "host", value: host)
        headers.add(name: "x-request-id", value: requestID)
        headers.add(name: field, value: signature)
        if bodyBytes > 0 || head.method == .POST { headers.add(name: "content-length", value: String(bodyBytes)) }
        return HTTPRequestHead(version: .http1_1, method: head.method, uri: head.uri, headers: headers)
    }

    /// What the client gets of the answer's fields. The length stays, where there is one.
    static func responseFields(_ head: HTTPResponseHead) -> HTTPHeaders {
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.count + 4)
        add(head.headers, to: &headers, unless: isOwnOfResponse)
        if let length = head.headers.first(name: "content-length") { headers.add(name: "content-length", value: length) }
        return headers
    }
}

extension String? {
    /// Adds one more value of a field (RFC 9110, section 5.3).
    fileprivate mutating func join(_ value: String) { self = map { $0 + "," + value } ?? value }
}
