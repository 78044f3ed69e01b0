import GatewayCore
import HTTPTransport
import Testing

@Suite("Statuses, each with a JSON-RPC error")
struct StatusTests {
    /// A refusal has a JSON-RPC error as its body and leaves the connection usable unless it says otherwise.
    private func expectRefusal(_ request: String, _ status: Int, code: Int? = nil, of server: TestServer) async throws -> Response {
        let client = try await server.connect()
        let response = try await client.response(to: request)
        #expect(response.status == status, "\(request.prefix(300)) → \(response)")
        #expect(response.head["content-type"] == "application/json")
        #expect(response.body.hasPrefix(#"{"jsonrpc":"2.0","id":"#))
        #expect(response.body.contains(#""error":{"code":\#(code.map { "\($0)," } ?? "")"#))
        if response.head["connection"] == "close" {
            try await client.waitForClose()
        } else {
            #expect(try await client.response(to: Request.make("GET", path: "/health")).status == 200)
        }
        await client.close()
        return response
    }

    @Test("initialize makes a session and tells its id")
    func initialize() async throws {
        try await TestServer.run { server in
            let response = try await server.response(to: Request.initialize("2025-11-25"))
            #expect(response.status == 200)
            #expect(response.head["content-type"] == "application/json")
            let id = try #require(response.head["mcp-session-id"])
            #expect(id.utf8.count == 36)
            #expect(response.body.contains(#""id":0,"result":{"protocolVersion":"2025-11-25""#))
            let other = try await server.session()
            #expect(other != id)
        }
    }

    @Test(
        "a wrong initialize is refused with 400 and its id",
        arguments: [
            #"{"capabilities":{},"clientInfo":{"name":"x"}}"#, #"{"protocolVersion":1,"capabilities":{},"clientInfo":{"name":"x"}}"#,
            #"{"protocolVersion":"2025-11-25","clientInfo":{"name":"x"}}"#, #"{"protocolVersion":"2025-11-25","capabilities":{}}"#,
            #"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{}}"#,
        ])
    func wrongInitialize(params: String) async throws {
        try await TestServer.run { server in
            let response = try await expectRefusal(
                Request.post(#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":\#(params)}"#), 400, code: -32602, of: server)
            #expect(response.body.contains(#""id":"a""#))
            #expect(response.head["mcp-session-id"] == nil)
        }
    }

    @Test("a session that the store cannot end, and one that it cannot make, get 503 with the time to try again")
    func storeFails() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            server.closeStore()
            for request in [Request.make("DELETE", session: session), Request.initialize("2025-11-25")] {
                let response = try await expectRefusal(request, 503, code: -32603, of: server)
                #expect(response.head["retry-after"] == "1")
            }
        }
    }

    @Test("nesting beyond the limit is refused with its key")
    func nesting() async throws {
        try await TestServer.run({ $0.maxNestingDepth = 8 }) { server in
            let session = try await server.session()
            let deep = String(repeating: "[", count: 9) + String(repeating: "]", count: 9)
            for body in [#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":\#(deep)}}"#, deep] {
                let response = try await expectRefusal(Request.post(body, session: session), 400, code: -32700, of: server)
                #expect(response.body.contains("limits.maxNestingDepth"))
            }
        }
    }

    @Test("what is wrong with a request decides its status")
    func table() async throws {
        try await TestServer.run({ $0.maxBodyBytes = 2000 }) { server in
            let session = try await server.session()
            let ping = Request.ping()
            let requests: [(String, Int, Int?)] = [
                (Request.post("{", session: session), 400, -32700),
                (Request.post("", session: session), 400, -32700),
                (Request.post("{}", session: session), 400, -32600),
                (Request.post("1", session: session), 400, nil),
                (Request.post(#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, session: session), 400, -32600),
                (Request.post(#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, session: session), 400, nil),
                (Request.post(String(repeating: "[", count: 600), session: session), 400, -32700),
                (Request.post(ping), 400, nil),
                (Request.post(ping, session: session, fields: [("mcp-protocol-version", "1999-01-01")]), 400, nil),
                (Request.make("DELETE"), 400, nil),
                (Request.make("GET", fields: [("accept", "text/event-stream")]), 400, nil),
                (Request.listen(session: session, after: "nonsense"), 400, nil),
                (Request.post(ping, session: session, fields: [("origin", "http://evil.example")]), 403, nil),
                (Request.post(ping, session: session, fields: [("host", "evil.example:80")]), 403, nil),
                (Request.post(ping, session: "not-a-session"), 404, nil),
                (Request.post(ping, session: "00000000-0000-4000-8000-000000000000"), 404, nil),
                (Request.post(ping, session: session, path: "/servers/up/mcp"), 404, nil),
                (Request.post(ping, session: session, path: "/servers/nobody/mcp"), 404, nil),
                (Request.post(ping, session: session, path: "/servers//mcp"), 404, nil),
                (Request.post(ping, session: session, path: "/servers/up/up/mcp"), 404, nil),
                (Request.listen(session: session, after: "lunknown22222.3"), 400, nil),
                (Request.make("PUT", session: session, body: "{}"), 405, nil),
                (Request.post(ping, session: session, fields: [("accept", "application/json")]), 406, nil),
                (Request.make("GET", session: session), 406, nil),
                (Request.post(String(repeating: " ", count: 2001), session: session), 413, nil),
                (Request.post(ping, session: session, fields: [("content-type", "text/plain")]), 415, nil),
            ]
            for (request, status, code) in requests { _ = try await expectRefusal(request, status, code: code, of: server) }
        }
    }

    @Test("a refused method is told the others, in a header")
    func allow() async throws {
        try await TestServer.run { server in
            let response = try await server.response(to: Request.make("PUT", body: "{}"))
            #expect(response.head["allow"] == "GET, POST, DELETE")
        }
    }

    @Test("a chunked body that grows too large is refused with 413 and the connection ends")
    func chunkedTooLarge() async throws {
        try await TestServer.run({ $0.maxBodyBytes = 1000 }) { server in
            let client = try await server.connect()
            let fields = [("content-type", "application/json"), ("accept", Request.acceptBoth), ("transfer-encoding", "chunked")]
            let chunk = "258\r\n" + String(repeating: " ", count: 600) + "\r\n"
            let response = try await client.response(to: Request.make("POST", fields: fields) + chunk + chunk)
            #expect(response.status == 413)
            #expect(response.head["connection"] == "close")
            try await client.waitForClose()
        }
    }

    @Test("header fields beyond the limit are refused with 431")
    func headerTooLarge() async throws {
        try await TestServer.run({ $0.maxHeaderBytes = 8192 }) { server in
            let client = try await server.connect()
            let response = try await client.response(
                to: Request.post(Request.ping(), fields: [("x-large", String(repeating: "x", count: 20_000))]))
            #expect(response.status == 431)
            #expect(response.body.contains(#""error""#))
            try await client.waitForClose()
        }
    }

    @Test(
        "a header that cannot be read is answered with an error of the REST API on its paths, with a JSON-RPC error elsewhere",
        arguments: [
            ("POST /api/session/create", true), ("GET /sse/events?ticket=a", true), ("POST /mcp", false), ("GET /apiary", false),
        ])
    func wordingOfUnreadable(_ line: String, _ isREST: Bool) async throws {
        try await TestServer.run({ $0.maxHeaderBytes = 8192 }) { server in
            // In pieces, so that the request line is gone when the header turns out to be too long; and after another request.
            let client = try await server.connect()
            try await client.send(Request.post(Request.ping()))
            _ = try await client.response()
            try await client.send(String(line.prefix(7)))
            let response = try await client.response(
                to: line.dropFirst(7) + " HTTP/1.1\r\nhost: localhost\r\nx-large: " + String(repeating: "x", count: 20_000) + "\r\n\r\n")
            #expect(response.status == 431)
            #expect(response.body.contains(#""code":"header_too_large""#) == isREST)
            #expect(response.body.contains(#""jsonrpc":"2.0""#) != isREST)
        }
    }

    @Test(
        "what is no HTTP is refused with 400 and the connection ends",
        arguments: ["nonsense\r\n\r\n", "POST /mcp HTTP/9.9\r\n\r\n", "\u{0}\u{1}\r\n\r\n"])
    func malformed(text: String) async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            #expect(try await client.response(to: text).status == 400)
            try await client.waitForClose()
        }
    }

    @Test("more requests at once than a session may have are refused with 429 and when to come back")
    func tooMany() async throws {
        try await TestServer.run(core: { $0.maxConcurrentPerSession = 2 }) { server in
            let session = try await server.session()
            for id in 1...2 {
                try await server.connect().send(Request.post(Request.call("up__hold", id: "\(id)"), session: session))
            }
            try await server.upstream.waitForHeld(2)
            let refused = try await expectRefusal(Request.post(Request.ping(id: "3"), session: session), 429, of: server)
            #expect(refused.head["retry-after"] != nil)
            #expect(refused.body.contains(#""id":3"#))
            #expect(try await server.response(to: Request.post(Request.ping(), session: try await server.session())).status == 200)
        }
    }

    @Test("more listening streams than a session may have are refused with 429")
    func tooManyStreams() async throws {
        try await TestServer.run(core: { $0.maxListeningStreams = 2 }) { server in
            let session = try await server.session()
            for _ in 1...2 { _ = try await server.listen(session: session) }
            _ = try await expectRefusal(Request.listen(session: session), 429, of: server)
        }
    }

    @Test("notifications and responses are accepted with 202 and no body")
    func accepted() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            for body in [
                #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, #"{"jsonrpc":"2.0","id":"nobody asked","result":{}}"#,
                #"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
            ] {
                let response = try await server.response(to: Request.post(body, session: session))
                #expect(response.status == 202)
                #expect(response.body.isEmpty)
            }
        }
    }

    @Test("DELETE ends a session: its streams end and its id is unknown from then on")
    func delete() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let (listener, _) = try await server.listen(session: session)
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            try await server.upstream.waitForHeld()
            #expect(try await server.response(to: Request.make("DELETE", session: session)).status == 204)
            #expect(try await listener.next() == .ended)
            _ = try await caller.head()
            _ = try await server.upstream.waitFor(method: "notifications/cancelled")
            for request in [
                Request.post(Request.ping(), session: session), Request.listen(session: session), Request.make("DELETE", session: session),
            ] {
                _ = try await expectRefusal(request, 404, of: server)
            }
        }
    }

    @Test("a session of the endpoint of one server knows that server's own names")
    func oneServer() async throws {
        try await TestServer.run { server in
            let initialize = Request.initialize("2025-11-25").replacing("POST /mcp ", with: "POST /servers/up/mcp ")
            let session = try #require(try await server.response(to: initialize).head["mcp-session-id"])
            let response = try await server.response(
                to: Request.post(Request.call("echo", arguments: #"{"n":1.50}"#), session: session, path: "/servers/up/mcp"))
            #expect(response.body == #"{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"n":1.50}}}"#)
            #expect(try await server.response(to: Request.post(Request.ping(), session: session)).status == 404)
        }
    }
}
