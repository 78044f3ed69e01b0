/// The text of modern requests.
extension Request {
    static let modern = "2026-07-28"

    /// A message.
    ///
    /// - Parameters:
    ///   - params: raw members besides `_meta`.
    ///   - meta: raw members of `_meta` besides those that every request has, a comma before them.
    static func message(
        _ method: String, _ params: String = "", id: String = "1", version: String = modern, meta: String = ""
    ) -> String {
        let fields =
            #""io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},"io.modelcontextprotocol/clientInfo":{"name":"modern","version":"1"}"#
        return
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{"_meta":{\#(fields)\#(meta)}\#(params.isEmpty ? "" : ",")\#(params)}}"#
    }

    /// A POST of a message with the fields that repeat what it says.
    ///
    /// - Parameters:
    ///   - name: value of `Mcp-Name`.
    ///   - fields: are added, in place of what would be there; nil leaves one out.
    static func modern(
        _ method: String, _ params: String = "", name: String? = nil, id: String = "1", meta: String = "", path: String = "/mcp",
        fields changes: [(String, String?)] = []
    ) -> String {
        let own: [(String, String?)] = [("mcp-protocol-version", modern), ("mcp-method", method), ("mcp-name", name)]
        let fields = own.filter { own in !changes.contains { $0.0 == own.0 } } + changes
        return post(
            message(method, params, id: id, meta: meta), path: path, fields: fields.compactMap { name, value in value.map { (name, $0) } })
    }

    static func modernCall(
        _ tool: String, arguments: String = "{}", id: String = "1", wantsProgress: Bool = false, path: String = "/mcp",
        more: String = "", fields: [(String, String?)] = []
    ) -> String {
        modern(
            "tools/call", #""name":"\#(tool)","arguments":\#(arguments)\#(more)"#, name: tool, id: id,
            meta: wantsProgress ? #","progressToken":"p""# : "", path: path, fields: fields)
    }

    static func modernListen(_ notifications: String = #"{"toolsListChanged":true}"#, id: String = "1") -> String {
        modern("subscriptions/listen", #""notifications":\#(notifications)"#, id: id)
    }
}

extension Response {
    /// The code of the error in the body.
    var errorCode: Int? { body.firstMatch(of: #/"code":(-?[0-9]+)/#).flatMap { Int($0.1) } }
}
