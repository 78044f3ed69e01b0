import GatewayCore
import MCPProtocol
import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite("The header rules of Streamable HTTP")
struct MCPRequestRulesTests {
    @Test(
        "Accept is understood with wildcards, weights, spaces and any case",
        arguments: [
            (nil, false, false), ("", false, false),
            ("application/json, text/event-stream", true, true), ("text/event-stream,application/json", true, true),
            ("application/json", true, false), ("text/event-stream", false, true), ("*/*", true, true),
            ("application/*", true, false), ("text/*", false, true), ("application/*, text/*;q=0.1", true, true),
            ("Application/JSON , TEXT/Event-Stream", true, true), ("\tapplication/json\t,\ttext/event-stream", true, true),
            ("application/json;q=0.9, text/event-stream;q=0.5", true, true), ("application/json; charset=utf-8", true, false),
            ("application/json;q=0, text/event-stream", false, true),
            ("application/json; q=0.000 , text/event-stream;q=0.001", false, true),
            ("application/json;q=0.0, */*;q=0", false, false), ("application/json;Q=0", false, false), ("text/html, image/*", false, false),
            ("application/jsonx, text/event-stream2", false, false), (",,application/json,,", true, false), (";q=1", false, false),
        ] as [(String?, Bool, Bool)])
    func accept(_ value: String?, json: Bool, events: Bool) {
        let accepted = MCPRequestRules(HTTPTransportSettings()).accepts(value)
        #expect(accepted.json == json)
        #expect(accepted.events == events)
    }

    @Test("a weight of 0 for a type is stronger than a wildcard (RFC 9110, 12.5.1)")
    func specificAccept() {
        #expect(!MCPRequestRules(HTTPTransportSettings()).accepts("text/event-stream;q=0, */*").events)
    }

    private struct Sent: CustomTestStringConvertible {
        var method = HTTPMethod.POST
        var fields: [(String, String)]
        var expected: UInt?
        var settings = HTTPTransportSettings()
        var testDescription: String { "\(method) \(fields)" }
    }

    private func status(_ sent: Sent) -> UInt? {
        let head = RequestHead(
            HTTPRequestHead(version: .http1_1, method: sent.method, uri: "/mcp", headers: HTTPHeaders(sent.fields)))
        do throws(Refusal) {
            _ = try MCPRequestRules(sent.settings).check(head)
            return nil
        } catch {
            #expect(!error.error.message.isEmpty)
            return error.status.code
        }
    }

    private static let both = ("accept", "application/json, text/event-stream")

    @Test(
        "POST needs JSON and must accept both types",
        arguments: [
            ("application/json", both.1, nil), ("Application/JSON; charset=utf-8", both.1, nil), (" application/json ;x", both.1, nil),
            ("application/json", "*/*", nil), ("application/json", "application/json", 406), ("application/json", "text/event-stream", 406),
            ("application/json", nil, 406), ("text/plain", both.1, 415), (nil, both.1, 415), ("", both.1, 415),
            ("application/jsonp", both.1, 415), ("application/json-rpc", both.1, 415), ("text/plain; application/json", both.1, 415),
        ] as [(String?, String?, UInt?)])
    func post(contentType: String?, accept: String?, expected: UInt?) {
        let fields = [contentType.map { ("content-type", $0) }, accept.map { ("accept", $0) }].compactMap { $0 }
        #expect(status(Sent(fields: fields, expected: expected)) == expected)
    }

    @Test(
        "GET must accept events, DELETE needs nothing, other methods are refused",
        arguments: [
            (HTTPMethod.GET, "text/event-stream", nil), (.GET, "*/*", nil), (.GET, "application/json", 406), (.GET, nil, 406),
            (.DELETE, nil, nil), (.PUT, nil, 405), (.PATCH, nil, 405), (.HEAD, nil, 405), (.OPTIONS, nil, 405), (.TRACE, nil, 405),
        ] as [(HTTPMethod, String?, UInt?)])
    func otherMethods(method: HTTPMethod, accept: String?, expected: UInt?) {
        #expect(status(Sent(method: method, fields: accept.map { [("accept", $0)] } ?? [], expected: expected)) == expected)
    }

    @Test("without SSE a POST needs only JSON, and GET is refused")
    func withoutSSE() {
        var settings = HTTPTransportSettings()
        settings.enableSSE = false
        let fields = [("content-type", "application/json"), ("accept", "application/json")]
        #expect(status(Sent(fields: fields, settings: settings)) == nil)
        #expect(status(Sent(method: .GET, fields: [("accept", "text/event-stream")], settings: settings)) == 405)
        #expect(status(Sent(fields: [("content-type", "application/json"), ("accept", "text/html")], settings: settings)) == 406)
    }

    @Test("a refused method is told which ones there are", arguments: [(true, "GET, POST, DELETE"), (false, "POST, DELETE")])
    func allow(enableSSE: Bool, expected: String) {
        var settings = HTTPTransportSettings()
        settings.enableSSE = enableSSE
        let head = RequestHead(HTTPRequestHead(version: .http1_1, method: .PUT, uri: "/mcp"))
        do throws(Refusal) {
            _ = try MCPRequestRules(settings).check(head)
            Issue.record("PUT was not refused")
        } catch {
            #expect(error.headers.contains { $0 == ("allow", expected) })
        }
    }

    @Test(
        "a known revision in the header is taken, none is none, others are refused",
        arguments: [
            (nil, nil, nil), ("2025-03-26", .v2025_03_26, nil), ("2025-06-18", .v2025_06_18, nil), ("2025-11-25", .v2025_11_25, nil),
            ("2024-11-05", .v2024_11_05, nil), ("1999-01-01", nil, 400), ("", nil, 400), ("2025-11-25 ", .v2025_11_25, nil),
            ("2025-11-25,", nil, 400), ("latest", nil, 400),
        ] as [(String?, Revision?, UInt?)])
    func revision(_ value: String?, expected: Revision?, status: UInt?) {
        let fields = value.map { [("mcp-protocol-version", $0)] } ?? []
        let head = RequestHead(
            HTTPRequestHead(version: .http1_1, method: .DELETE, uri: "/mcp", headers: HTTPHeaders(fields)))
        let result = Result { () throws(Refusal) in try MCPRequestRules(HTTPTransportSettings()).check(head) }
        switch result {
        case .success(let found):
            #expect(found == expected)
            #expect(status == nil)
        case .failure(let refusal): #expect(refusal.status.code == status)
        }
    }
}
