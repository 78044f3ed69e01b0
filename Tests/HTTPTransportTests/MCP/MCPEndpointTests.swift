import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite("MCP endpoints and request heads")
struct MCPEndpointTests {
    @Test(
        "paths name all servers, one server, or nothing of MCP",
        arguments: [
            ("/mcp", MCPEndpoint.all), ("/mcp?x=1", .all), ("/mcp?", .all),
            ("/servers/git/mcp", .server("git")), ("/servers/a-b_c/mcp?y", .server("a-b_c")),
            ("/servers/mcp/mcp", .server("mcp")),
            // No server can have these names, so that they get MCP's 404.
            ("/servers//mcp", .server("")), ("/servers/a/b/mcp", .server("a/b")),
            ("/", nil), ("", nil), ("/MCP", nil), ("/mcp/", nil), ("/mcpx", nil), ("/x/mcp", nil), ("/health", nil),
            ("/servers/mcp", nil), ("/servers/a/mcp/", nil), ("/?/mcp", nil),
            ("/servers/a?/mcp", nil),
        ] as [(String, MCPEndpoint?)])
    func paths(uri: String, expected: MCPEndpoint?) {
        #expect(RequestTarget(uri).flatMap { MCPEndpoint(path: $0.path, name: "/mcp") } == expected)
    }

    @Test("only the endpoint of one server has a name")
    func serverName() {
        #expect(MCPEndpoint.all.server == nil)
        #expect(MCPEndpoint.server("x").server == "x")
    }

    private func head(_ fields: [(String, String)], version: HTTPVersion = .http1_1) -> RequestHead {
        RequestHead(HTTPRequestHead(version: version, method: .POST, uri: "/mcp", headers: HTTPHeaders(fields)))
    }

    @Test("field names are found in any case")
    func fieldNames() {
        for change in [{ $0 }, { $0.lowercased() }, { $0.uppercased() }] as [(String) -> String] {
            let head = head(
                [
                    ("Host", "h"), ("Accept", "a"), ("Origin", "o"), ("Expect", "100-Continue"), ("Content-Type", "t"),
                    ("Last-Event-ID", "e"),
                    ("Mcp-Session-Id", "s"), ("Content-Length", "12"), ("MCP-Protocol-Version", "v"),
                ].map { (change($0.0), $0.1) })
            #expect(head.host == "h")
            #expect(head.accept == "a")
            #expect(head.origin == "o")
            #expect(head.expectsContinue)
            #expect(head.contentType == "t")
            #expect(head.lastEventID == "e")
            #expect(head.sessionID == "s")
            #expect(head.contentLength == 12)
            #expect(head.protocolVersion == "v")
        }
    }

    @Test("fields of the same length with other names are not taken for them")
    func otherFields() {
        let head = head([
            ("Hos_", "x"), ("Accepx", "x"), ("Origi\u{6F}", "x"), ("Content-Typo", "x"), ("Mcp-Session-Ix", "x"),
            ("Mcp-Protocol-Versiox", "x"),
        ])
        #expect(head.host == nil)
        #expect(head.accept == nil)
        #expect(head.contentType == nil)
        #expect(head.sessionID == nil)
        #expect(head.protocolVersion == nil)
        #expect(!head.expectsContinue)
    }

    @Test("several Accept fields are one list")
    func acceptFields() {
        #expect(head([("accept", "application/json"), ("accept", "text/event-stream")]).accept == "application/json,text/event-stream")
    }

    @Test(
        "a connection is kept as its HTTP version and Connection field say",
        arguments: [
            (HTTPVersion.http1_1, nil, true), (.http1_1, "close", false), (.http1_0, nil, false), (.http1_0, "keep-alive", true),
        ] as [(HTTPVersion, String?, Bool)])
    func keepAlive(version: HTTPVersion, connection: String?, expected: Bool) {
        #expect(head(connection.map { [("connection", $0)] } ?? [], version: version).isKeepAlive == expected)
    }
}
