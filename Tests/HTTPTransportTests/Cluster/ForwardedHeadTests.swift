import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite("Heads that are passed on")
struct ForwardedHeadTests {
    private func passedOn(_ fields: [(String, String)]) -> HTTPHeaders {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/mcp", headers: HTTPHeaders(fields))
        return ForwardedHead.request(head, host: "b:1", bodyBytes: 0, requestID: "r", signature: "s").headers
    }

    private func names(_ headers: HTTPHeaders) -> [String] { headers.map { $0.name.lowercased() } }

    @Test(
        "a field that Connection names stays between the two ends of the connection",
        arguments: ["X-Hop", "x-hop", "keep-alive, X-Hop", "close ,\tx-Hop,, accept", "X-Hop, Host, Content-Length, X-Request-ID"])
    func named(connection: String) {
        let fields = [("X-Hop", "1"), ("X-End", "2"), ("Connection", "keep-alive"), ("Connection", connection), ("x-hop", "3")]
        #expect(names(passedOn(fields)) == ["x-end", "host", "x-request-id", "mcp-gateway-forward"])
        let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: HTTPHeaders(fields + [("Content-Length", "5")]))
        #expect(names(ForwardedHead.responseFields(answer)) == ["x-end", "content-length"])
    }

    @Test("what says whose request it is is passed on though Connection names it")
    func signedStays() {
        let fields = ["Mcp-Session-Id", "X-Session-ID", "Last-Event-ID"].map { ($0, "1") }
        let passed = passedOn(fields + [("connection", fields.map(\.0).joined(separator: ","))])
        #expect(names(passed).prefix(3) == ["mcp-session-id", "x-session-id", "last-event-id"])
    }

    @Test("without such names all that is not of one connection is passed on, in its order")
    func others() {
        let fields = [
            ("Accept", "a"), ("TE", "trailers"), ("Connection", "Keep-Alive"), ("Accept", "b"), ("Origin", "http://o"), ("Host", "a:1"),
        ]
        #expect(names(passedOn(fields)) == ["accept", "accept", "host", "x-request-id", "mcp-gateway-forward"])
    }

    @Test("the target and every value of the fields that say whose request it is are signed")
    func signed() {
        let fields = [
            ("Last-Event-ID", "e"), ("x-session-id", ""), ("MCP-Session-Id", "a"), ("accept", "*"), ("X-Session-ID", "b"),
            ("mcp-session-id", ""), ("mcp-session-ix", "no"),
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/mcp?a", headers: HTTPHeaders(fields))
        #expect(ForwardedHead.signed(head) == "/mcp?a\na,\n,b\ne")
        #expect(ForwardedHead.signed(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")) == "/\n\n\n")
    }
}
