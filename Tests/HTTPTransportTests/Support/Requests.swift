/// The text of HTTP requests.
enum Request {
    static let acceptBoth = "application/json, text/event-stream"

    static func make(
        _ method: String, path: String = "/mcp", session: String? = nil, fields: [(String, String)] = [], body: String? = nil
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\n"
        var fields = fields
        if !fields.contains(where: { $0.0 == "host" }) { fields.append(("host", "127.0.0.1")) }
        if let session { fields.append(("mcp-session-id", session)) }
        if let body { fields.append(("content-length", String(body.utf8.count))) }
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        return text + "\r\n" + (body ?? "")
    }

    /// A POST with the header fields it must have.
    static func post(_ body: String, session: String? = nil, path: String = "/mcp", fields: [(String, String)] = []) -> String {
        let own = [("content-type", "application/json"), ("accept", acceptBoth)].filter { name, _ in !fields.contains { $0.0 == name } }
        return make("POST", path: path, session: session, fields: own + fields, body: body)
    }

    static func listen(session: String, after id: String? = nil) -> String {
        make("GET", session: session, fields: [("accept", "text/event-stream")] + (id.map { [("last-event-id", $0)] } ?? []))
    }

    static func initialize(_ revision: String) -> String {
        post(
            """
            {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"\(revision)","capabilities":{"sampling":{}},\
            "clientInfo":{"name":"test","version":"1"}}}
            """)
    }

    static func call(_ tool: String, id: String = "1", arguments: String = "{}", wantsProgress: Bool = false) -> String {
        let meta = wantsProgress ? ",\"_meta\":{\"progressToken\":\"p\(id.filter { $0 != "\"" })\"}" : ""
        return
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"tools/call\",\"params\":{\"name\":\"\(tool)\",\"arguments\":\(arguments)\(meta)}}"
    }

    static func ping(id: String = "1") -> String { "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"ping\"}" }
}
