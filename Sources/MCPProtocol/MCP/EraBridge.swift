public import NIOCore

/// What has to change in a message that crosses from one era to the other. Pure; the bytes around the splices stay as they are.
public enum EraBridge {
    /// `resultType` of a result (2026-07-28, basic, "ResultType"); results without it are complete.
    public enum ResultType: Sendable, Hashable {
        case complete
        case inputRequired
        /// Of an extension.
        case other(String)
    }

    /// What kind of result it is.
    public static func resultType(of result: JSONSpan, in json: JSONText) -> ResultType {
        let span = json.member("resultType", of: result)
        guard span.isPresent, !json.equals(span, "\"complete\"") else { return .complete }
        return json.equals(span, "\"input_required\"") ? .inputRequired : .other(json.string(span) ?? "")
    }

    /// The splices that give a result what every modern result has: `resultType`, `ttlMs` and `cacheScope` where the result can be cached, and
    /// the server's name in `_meta`. What it has already stays.
    ///
    /// - Parameters:
    ///   - isCacheable: whether results of the method carry caching hints (2026-07-28, server/utilities/caching). A server that gives none
    ///     gets those that promise nothing.
    ///   - serverInfo: raw JSON of who answered.
    public static func modernResult(
        _ result: JSONSpan, in json: JSONText, isCacheable: Bool, serverInfo: ByteBuffer?
    ) -> [Splice] {
        guard json.isObject(result) else { return [] }
        var hasType = false
        var hasTTL = false
        var hasScope = false
        var isEmpty = true
        var meta = JSONSpan.absent
        json.forEachMember(of: result) { key, value in
            isEmpty = false
            switch key.count {
            case 10 where key.equals("resultType"): hasType = true
            case 5 where key.equals("ttlMs"): hasTTL = true
            case 10 where key.equals("cacheScope"): hasScope = true
            case 5 where key.equals("_meta"): meta = value
            default: break
            }
            return true
        }
        var splices: [Splice] = []
        var members = ByteBuffer()
        func add(_ text: StaticString) {
            if members.readableBytes > 0 { members.writeStaticString(",") }
            members.writeStaticString(text)
        }
        if !hasType { add("\"resultType\":\"complete\"") }
        if isCacheable, !hasTTL { add("\"ttlMs\":0") }
        if isCacheable, !hasScope { add("\"cacheScope\":\"private\"") }
        if let serverInfo {
            if !meta.isPresent {
                add("\"_meta\":{\"io.modelcontextprotocol/serverInfo\":")
                members.writeImmutableBuffer(serverInfo)
                members.writeStaticString("}")
            } else if json.isObject(meta), !json.member(RequestMetadata.Key.serverInfo, of: meta).isPresent {
                var named = ByteBuffer(string: "\"io.modelcontextprotocol/serverInfo\":")
                named.writeImmutableBuffer(serverInfo)
                splices.append(json.insertion(of: named, into: meta))
            }
        }
        if members.readableBytes > 0 {
            if !isEmpty { members.writeStaticString(",") }
            splices.append(Splice(JSONSpan(start: result.start + 1, end: result.start + 1), .bytes(members)))
        }
        return splices
    }

    /// The `InputRequiredResult` that says to a modern client what −32042 says to one of 2025-11-25: that the user has to visit some pages
    /// before the request can succeed (2025-11-25, client/elicitation, "URL Elicitation Required Error"). Its retry is the same request
    /// again. Nil when the error is another one, or names no page.
    public static func inputRequired(byError error: JSONSpan, in json: JSONText) -> ByteBuffer? {
        guard json.integer(json.member("code", of: error)) == RPCError.Code.urlElicitationRequired.rawValue else { return nil }
        var result = ByteBuffer(string: "{\"resultType\":\"input_required\",\"inputRequests\":{")
        var count = 0
        json.forEachElement(of: json.member("elicitations", of: json.member("data", of: error))) { elicitation in
            guard json.isObject(elicitation), let params = json.slice(elicitation) else { return true }
            if count > 0 { result.writeStaticString(",") }
            count += 1
            result.writeJSONString(json.string(json.member("elicitationId", of: elicitation)) ?? "elicitation-\(count)")
            result.writeStaticString(":{\"method\":\"elicitation/create\",\"params\":")
            result.writeImmutableBuffer(params)
            result.writeStaticString("}")
            return true
        }
        guard count > 0 else { return nil }
        result.writeStaticString("}}")
        return result
    }

    /// Whether results of a method carry caching hints (2026-07-28, server/utilities/caching, "Cacheable Results").
    public static func isCacheable(_ method: Method) -> Bool {
        switch method {
        case .serverDiscover, .toolsList, .promptsList, .resourcesList, .resourcesTemplatesList, .resourcesRead: true
        default: false
        }
    }

    /// The code that an error of a server of the one era has for a client of the other; nil when it is the same.
    ///
    /// A missing resource is −32002 in the legacy era and −32602 in the modern one (2026-07-28, server/resources, "Error Handling").
    public static func errorCode(_ code: Int, of method: Method, for era: Revision.Era) -> Int? {
        switch (era, code) {
        case (.modern, RPCError.Code.resourceNotFound.rawValue): RPCError.Code.invalidParams.rawValue
        case (.legacy, RPCError.Code.invalidParams.rawValue) where method == .resourcesRead: RPCError.Code.resourceNotFound.rawValue
        default: nil
        }
    }
}
