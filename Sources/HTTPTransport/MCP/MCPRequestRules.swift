import GatewayCore
import MCPProtocol
import NIOHTTP1

/// The header rules of Streamable HTTP (basic/transports of 2025-03-26, 2025-06-18 and 2025-11-25).
struct MCPRequestRules: Sendable {
    let allowedOrigins: Set<String>
    let allowedHosts: Set<String>
    let isLoopback: Bool
    let enableSSE: Bool
    /// The address that the server is bound to, as it stands in `Host`.
    let ownHost: String

    init(_ settings: HTTPTransportSettings) {
        allowedOrigins = Set(settings.allowedOrigins.map { $0.lowercased() })
        allowedHosts = Set(settings.allowedHosts.map { $0.lowercased() })
        isLoopback = settings.isLoopback
        let name = settings.host.lowercased()
        ownHost = name.contains(":") ? "[\(name)]" : name
        enableSSE = settings.enableSSE
    }

    /// Checks where a request comes from, whatever it asks for.
    ///
    /// - Parameters:
    ///   - authority: host and port of a target in absolute form, which then must be allowed too.
    ///   - isProbe: the name that was used for this machine does not matter.
    func checkSource(_ head: RequestHead, authority: Substring?, isProbe: Bool) throws(Refusal) {
        guard !head.isAmbiguous else {
            throw refuse(.badRequest, "a header field that decides something is given twice")
        }
        guard head.host != nil || head.version == .http1_0 else { throw refuse(.badRequest, "Host is missing (RFC 9112, section 3.2)") }
        try checkOrigin(head.origin)
        guard !isProbe else { return }
        try checkHost(head.host)
        if let authority { try checkHost(String(authority)) }
    }

    /// Checks the header of a request for the feed.
    func checkEvents(_ head: RequestHead) throws(Refusal) {
        guard enableSSE else {
            throw Refusal(
                status: .notFound, code: "not_found",
                error: RPCError(code: .invalidRequest, message: "streams are switched off (gateway.enableSSE)"))
        }
        guard head.accept == nil || accepts(head.accept).events else {
            throw Refusal(
                status: .notAcceptable, code: "not_acceptable",
                error: RPCError(code: .invalidRequest, message: "Accept must list text/event-stream"))
        }
    }

    /// Checks the header of a message for a stream of HTTP+SSE. What its clients accept does not matter: the answer comes on the stream.
    func checkMessages(_ head: RequestHead) throws(Refusal) {
        guard isJSON(head.contentType) else { throw refuse(.unsupportedMediaType, "Content-Type must be application/json") }
    }

    /// Checks everything else that the header of an MCP request decides. The revision is what the header names, nil without one.
    func check(_ head: RequestHead) throws(Refusal) -> Revision? {
        switch head.method {
        case .POST:
            guard isJSON(head.contentType) else {
                throw refuse(.unsupportedMediaType, "Content-Type must be application/json")
            }
            let (json, events) = accepts(head.accept)
            guard json, events || !enableSSE else {
                throw refuse(.notAcceptable, "Accept must list application/json and text/event-stream")
            }
        case .GET where head.isOfModernRevision, .DELETE where head.isOfModernRevision:
            // No streams to resume, no sessions to end (2026-07-28, basic/transports/streamable-http, "Earlier Streamable HTTP Revisions").
            throw .methodNotAllowed("POST")
        case .GET:
            guard enableSSE else { throw .methodNotAllowed("POST, DELETE") }
            guard accepts(head.accept).events else { throw refuse(.notAcceptable, "Accept must list text/event-stream") }
        case .DELETE: break
        default: throw .methodNotAllowed(enableSSE ? "GET, POST, DELETE" : "POST, DELETE")
        }
        // What a POST speaks that names no legacy revision is told by its body.
        guard let version = head.protocolVersion, head.method != .POST || !head.namesModernRevision else { return nil }
        guard let revision = head.revision, revision.era == .legacy else {
            let known = Revision.legacy.map(\.rawValue).joined(separator: ", ")
            throw refuse(.badRequest, "Unsupported MCP-Protocol-Version \"\(version.prefix(32))\"; supported: \(known)")
        }
        return revision
    }

    private func refuse(_ status: HTTPResponseStatus, code: String = "bad_request", _ message: String) -> Refusal {
        Refusal(status: status, code: code, error: RPCError(code: .invalidRequest, message: message))
    }

    /// A page in a browser may call only if its origin is listed, or of this machine when none is ("Security Warning").
    func checkOrigin(_ origin: String?) throws(Refusal) {
        guard let origin = origin?.lowercased() else { return }
        if allowedOrigins.contains(origin) || allowedOrigins.contains("*") { return }
        if allowedOrigins.isEmpty, let scheme = origin.range(of: "://"), Self.isLocal(String(origin[scheme.upperBound...])) { return }
        throw refuse(.forbidden, code: "forbidden_origin", "Origin \"\(origin.prefix(128))\" is not allowed (gateway.allowedOrigins)")
    }

    /// Keeps a foreign name that resolves to this machine (DNS rebinding) out.
    func checkHost(_ host: String?) throws(Refusal) {
        guard let host = host?.lowercased() else { return }
        if !allowedHosts.isEmpty {
            if allowedHosts.contains(host) || allowedHosts.contains(Self.withoutPort(host)) { return }
        } else if !isLoopback || Self.isLocal(host) || Self.withoutPort(host) == ownHost {
            return
        }
        throw refuse(.forbidden, code: "forbidden_host", "Host \"\(host.prefix(128))\" is not allowed (gateway.allowedHosts)")
    }

    /// The host without `:port`. What is no port is left in place, so that it matches nothing.
    static func withoutPort(_ host: String) -> String {
        let afterAddress = host.hasPrefix("[") ? host.firstIndex(of: "]").map { host.index(after: $0) } : host.firstIndex(of: ":")
        guard let end = afterAddress, end < host.endIndex, host[end] == ":" else { return host }
        let port = host[host.index(after: end)...]
        return !port.isEmpty && port.utf8.allSatisfy { $0 &- 0x30 < 10 } ? String(host[..<end]) : host
    }

    static func isLocal(_ host: String) -> Bool {
        let name = withoutPort(host)
        return name == "localhost" || name == "127.0.0.1" || name == "[::1]"
    }

    private func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        if contentType == "application/json" { return true }
        let type = contentType.prefix { $0 != ";" }
        return type.lowercased().trimmingSpaces == "application/json"
    }

    /// Which of the two media types the client takes. A weight of 0 refuses.
    func accepts(_ accept: String?) -> (json: Bool, events: Bool) {
        guard let accept else { return (false, false) }
        if accept == "application/json, text/event-stream" { return (true, true) }
        // The most specific range decides (RFC 9110, 12.5.1): a range of 0 takes a type out, whatever wider range lets it in.
        var accepted = Set<String>()
        var refused = Set<String>()
        for range in accept.lowercased().split(separator: ",") {
            let parts = range.split(separator: ";").map(\.trimmingSpaces)
            guard let type = parts.first else { continue }
            let isRefused = parts.dropFirst().contains { $0 == "q=0" || $0 == "q=0.0" || $0 == "q=0.00" || $0 == "q=0.000" }
            if isRefused { refused.insert(type) } else { accepted.insert(type) }
        }
        func takes(_ type: String, _ family: String) -> Bool {
            for range in [type, family, "*/*"] {
                if refused.contains(range) { return false }
                if accepted.contains(range) { return true }
            }
            return false
        }
        return (takes("application/json", "application/*"), takes("text/event-stream", "text/*"))
    }
}

extension StringProtocol {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }
}

extension String {
    fileprivate func range(of needle: String) -> Range<Index>? { firstRange(of: needle) }
}
