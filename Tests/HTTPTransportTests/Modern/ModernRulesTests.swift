import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("What a modern request's header and body must have in common")
struct ModernRulesTests {
    private struct Sent: CustomTestStringConvertible {
        let testDescription: String
        let request: String
        let status: Int
        var code: Int?

        init(_ name: String, _ request: String, _ status: Int, _ code: Int? = nil) {
            testDescription = name
            self.request = request
            self.status = status
            self.code = code
        }
    }

    private static func echo(_ fields: [(String, String?)]) -> String { Request.modernCall("up__echo", fields: fields) }

    private static let mismatch = -32020

    private static let standard: [Sent] = [
        Sent("everything as it must be", echo([]), 200),
        Sent("a name in Base64", echo([("mcp-name", "=?base64?dXBfX2VjaG8=?=")]), 200),
        Sent("white space around values", echo([("mcp-name", " \tup__echo\t "), ("mcp-method", "tools/call ")]), 200),
        Sent("field names in another case", echo([("mcp-method", nil), ("MCP-METHOD", "tools/call")]), 200),
        Sent("parameters that no tool has", echo([("mcp-param-x", "1"), ("Mcp-Param-x", "2"), ("mcp-param-", "3")]), 200),
        Sent("a session id, which is ignored", echo([("mcp-session-id", "nonsense"), ("last-event-id", "x")]), 200),
        Sent("no version", echo([("mcp-protocol-version", nil)]), 400, mismatch),
        Sent("a legacy version", echo([("mcp-protocol-version", "2025-11-25")]), 400, mismatch),
        Sent(
            "a legacy version alone", echo([("mcp-protocol-version", "2025-11-25"), ("mcp-method", nil), ("mcp-name", nil)]), 400, mismatch),
        Sent("an unknown version", echo([("mcp-protocol-version", "2099-01-01")]), 400, mismatch),
        Sent("no method", echo([("mcp-method", nil)]), 400, mismatch),
        Sent("another method", echo([("mcp-method", "tools/list")]), 400, mismatch),
        Sent("the method in another case", echo([("mcp-method", "Tools/Call")]), 400, mismatch),
        Sent("the method in Base64", echo([("mcp-method", "=?base64?dG9vbHMvY2FsbA==?=")]), 400, mismatch),
        Sent("the method twice", echo([("mcp-method", "tools/call"), ("mcp-method", "tools/call")]), 400, mismatch),
        Sent("no name", echo([("mcp-name", nil)]), 400, mismatch),
        Sent("an empty name", echo([("mcp-name", "")]), 400, mismatch),
        Sent("another name", echo([("mcp-name", "up__hold")]), 400, mismatch),
        Sent("the name twice", echo([("mcp-name", "up__echo"), ("mcp-name", "up__echo")]), 400, mismatch),
        Sent("a name in bad Base64", echo([("mcp-name", "=?base64?dXBfX2VjaG8?=")]), 400, mismatch),
        Sent("a name with a byte outside ASCII", echo([("mcp-name", "up__echö")]), 400, mismatch),
        Sent("nothing at all in the header", Request.post(Request.message("tools/list")), 400, mismatch),
    ]

    @Test("standard fields", arguments: Self.standard)
    private func standardFields(sent: Sent) async throws {
        try await TestServer.run { server in try await check(sent, server) }
    }

    private func check(_ sent: Sent, _ server: TestServer) async throws {
        let client = try await server.connect()
        let response = try await client.response(to: sent.request)
        #expect(response.status == sent.status, "\(sent.testDescription): \(response.body)")
        #expect(response.errorCode == sent.code, "\(sent.testDescription): \(response.body)")
        #expect(response.head["mcp-session-id"] == nil)
        // The connection is as good as before.
        #expect(try await client.response(to: Request.modern("server/discover", id: "\"next\"")).body.contains(#""id":"next","result""#))
    }

    private static let arguments = #"{"region":"Zürich","level":3,"dry":true,"where":{"zone":"a"}}"#
    private static let mirrored: [(String, String?)] = [
        ("mcp-param-region", "=?base64?WsO8cmljaA==?="), ("mcp-param-level", "3"), ("mcp-param-dry-run", "true"), ("mcp-param-zone", "a"),
    ]

    private static func routed(_ changes: [(String, String?)], arguments: String = arguments, tool: String = "up__routed") -> String {
        Request.modernCall(
            tool, arguments: arguments, fields: mirrored.filter { own in !changes.contains { $0.0.lowercased() == own.0 } } + changes)
    }

    private static let parameters: [Sent] = [
        Sent("as they are", routed([]), 200),
        Sent("a number written otherwise", routed([("mcp-param-level", "3.0")]), 200),
        Sent("a number in Base64", routed([("mcp-param-level", "=?base64?Mw==?=")]), 200),
        Sent("a field name in another case", routed([("MCP-PARAM-LEVEL", "3")]), 200),
        Sent("of a tool that has none", routed([("mcp-name", "up__echo")], tool: "up__echo"), 200),
        Sent("one missing", routed([("mcp-param-zone", nil)]), 400, mismatch),
        Sent("another text", routed([("mcp-param-region", "Bern")]), 400, mismatch),
        Sent("bytes outside ASCII", routed([("mcp-param-region", "Zürich")]), 400, mismatch),
        Sent("another number", routed([("mcp-param-level", "4")]), 400, mismatch),
        Sent("the least number there is", routed([("mcp-param-level", "-9223372036854775808")]), 400, mismatch),
        Sent("a number in hexadecimal", routed([("mcp-param-level", "0x3")]), 400, mismatch),
        Sent("a boolean in another case", routed([("mcp-param-dry-run", "TRUE")]), 400, mismatch),
        Sent("one twice", routed([("mcp-param-zone", "a"), ("Mcp-Param-Zone", "a")]), 400, mismatch),
        Sent("none, and none in the arguments", Request.modernCall("up__routed"), 200),
        Sent("one that the arguments do not have", Request.modernCall("up__routed", fields: [("mcp-param-zone", "a")]), 400, mismatch),
        Sent(
            "one that is null in the arguments",
            Request.modernCall("up__routed", arguments: #"{"region":null}"#, fields: [("mcp-param-region", "null")]), 400, mismatch),
        Sent("null, and no field", Request.modernCall("up__routed", arguments: #"{"region":null,"where":null}"#), 200),
        Sent(
            "of another type, which is the tool's to refuse",
            Request.modernCall("up__routed", arguments: #"{"level":"x","region":{}}"#, fields: [("mcp-param-level", "x")]), 200),
        Sent(
            "a value that stands twice in the arguments",
            Request.modernCall("up__routed", arguments: #"{"region":"a","regi\u006fn":"b"}"#, fields: [("mcp-param-region", "b")]), 400,
            mismatch),
        Sent(
            "a number beyond what JavaScript holds",
            Request.modernCall("up__routed", arguments: #"{"level":9007199254740993}"#, fields: [("mcp-param-level", "9007199254740992")]),
            400, mismatch),
    ]

    @Test("fields of parameters")
    func parameterFields() async throws {
        try await TestServer.run { server in
            let list = try await server.response(to: Request.modern("tools/list"))
            #expect(list.body.contains("up__routed"))
            for sent in Self.parameters { try await check(sent, server) }
            // At the endpoint of one server its tools have their own names.
            let path = "/servers/up/mcp"
            let wrong = Request.modernCall("routed", path: path, fields: [("mcp-param-zone", "a")])
            #expect(try await server.response(to: wrong).errorCode == Self.mismatch)
            #expect(try await server.response(to: Request.modernCall("routed", path: path)).status == 200)
        }
    }

    private static func raw(_ body: String, _ version: String = Request.modern, method: String = "tools/list") -> String {
        Request.post(body, fields: [("mcp-protocol-version", version), ("mcp-method", method)])
    }

    private static let metadata: [Sent] = [
        Sent("no params", raw(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), 400, -32602),
        Sent("no _meta", raw(#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#), 400, -32602),
        Sent("a _meta that is none", raw(#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":[]}}"#), 400, -32602),
        Sent(
            "no capabilities",
            raw(
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#
            ),
            400, -32602),
        Sent("a version that is not served", raw(Request.message("tools/list", version: "2099-01-01"), "2099-01-01"), 400, -32022),
        Sent("a word for a version", raw(Request.message("tools/list", version: "draft"), "draft"), 400, -32022),
        Sent("a legacy version in both", raw(Request.message("tools/list", version: "2025-11-25"), "2025-11-25"), 400, -32022),
        Sent("an unknown version in the header alone", raw(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "2099-01-01"), 400, -32022),
        Sent("initialize of an unknown version", raw(#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#, "2099-01-01"), 400, -32022),
        Sent(
            "a version and no method that are both wrong",
            Request.post(Request.message("tools/list", version: "2099-01-01"), fields: [("mcp-protocol-version", "2099-01-01")]), 400,
            -32022),
        Sent("a batch", raw("[\(Request.message("tools/list"))]"), 400, -32600),
        Sent("an empty batch", raw("[]"), 400, -32600),
        Sent("a response", raw(#"{"jsonrpc":"2.0","id":1,"result":{}}"#), 400, -32600),
        Sent("an error response", raw(#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#), 400, -32600),
        Sent("no JSON", raw("{"), 400, -32700),
        Sent("a notification", raw(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#), 202),
        Sent("a notification of an unknown version", raw(#"{"jsonrpc":"2.0","method":"x"}"#, "2099-01-01"), 400, -32022),
        Sent("a method that nobody knows", Request.modern("x/unknown"), 404, -32601),
        Sent("a method of sessions", Request.modern("ping"), 404, -32601),
        Sent("initialize", Request.modern("initialize"), 404, -32601),
    ]

    @Test("what every request says, and what is no request")
    func requestMetadata() async throws {
        try await TestServer.run { server in
            for sent in Self.metadata {
                try await check(sent, server)
                guard sent.code == -32022 else { continue }
                let body = try await server.response(to: sent.request).body
                #expect(body.contains(#""supported":["2026-07-28","2025-11-25""#) && body.contains(#""requested":"#))
            }
            let accepted = try await server.response(to: Self.raw(#"{"jsonrpc":"2.0","method":"x"}"#))
            #expect(accepted.body.isEmpty && accepted.status == 202)
        }
    }

    @Test("there are no streams to resume and no sessions to end", arguments: ["GET", "DELETE"])
    func methods(method: String) async throws {
        try await TestServer.run { server in
            let fields = [("accept", "text/event-stream"), ("mcp-protocol-version", Request.modern)]
            let response = try await server.response(to: Request.make(method, session: "x", fields: fields))
            #expect(response.status == 405)
            #expect(response.head["allow"] == "POST")
        }
    }

    @Test("a page may send the fields of parameters")
    func preflight() async throws {
        try await TestServer.run { server in
            let fields = [
                ("origin", "http://localhost:5173"), ("access-control-request-method", "POST"),
                ("access-control-request-headers", "content-type,mcp-method,mcp-param-region, Mcp-Param-Zone,x-evil"),
            ]
            let response = try await server.response(to: Request.make("OPTIONS", fields: fields))
            #expect(response.status == 204)
            let allowed = response.head["access-control-allow-headers"] ?? ""
            for name in ["mcp-method", "mcp-name", "mcp-protocol-version", "mcp-param-region", "Mcp-Param-Zone"] {
                #expect(allowed.contains(name))
            }
            #expect(!allowed.contains("x-evil"))
        }
    }

    @Test("the rate of a client is that of its sessions and of its modern requests together")
    func rate() async throws {
        try await TestServer.run(core: { $0.requestRatePerClient = 1 }) { server in
            // Both at once, or the rate would let the second in.
            let client = try await server.connect()
            try await client.send(Request.modern("ping") + Request.modern("ping", id: "7"))
            #expect(try await client.response().status == 404)
            let response = try await client.response()
            #expect(response.status == 429)
            #expect(response.head["retry-after"] != nil)
            #expect(response.body.contains(#""id":7,"#))
        }
    }
}
