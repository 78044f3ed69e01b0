import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite("Routes and targets")
struct HTTPRouteTests {
    private func route(_ path: String, api: Bool = true, metrics: Bool = true, legacySSE: Bool = true, sse: Bool = true) -> HTTPRoute {
        var settings = HTTPTransportSettings()
        settings.isAPIEnabled = api
        settings.enableLegacySSE = legacySSE
        settings.enableSSE = sse
        return HTTPRoute(path: path[...], settings: settings, hasMetrics: metrics)
    }

    @Test("no label of a route holds anything that a client chose")
    func labels() {
        #expect(route("/servers/secret-name/mcp").label == "/servers/{server}/mcp")
        #expect(route("/anything/else").label == "other")
        let known: [HTTPRoute] =
            [
                .mcp(.all), .mcp(.server("x")), .sse(.all), .sse(.server("x")), .messages(.all), .messages(.server("x")), .events, .health,
                .ready, .metrics, .unknown,
            ] + HTTPRoute.APIRoute.allCases.map { .api($0) }
        #expect(Set(known.map(\.label)).count == known.count)
        #expect(Set(known.map(\.number)).count == known.count)
    }

    @Test("what is switched off is not there")
    func switchedOff() {
        #expect(route("/metrics", metrics: false) == .unknown)
        #expect(route("/api/mcp/call", api: false) == .unknown)
        #expect(route("/sse/events", api: false) == .unknown)
        #expect(route("/mcp", api: false, metrics: false) == .mcp(.all))
        #expect(route("/health", api: false, metrics: false) == .health)
        for path in ["/sse", "/messages", "/servers/x/sse", "/servers/x/messages"] {
            #expect(route(path, legacySSE: false) == .unknown)
            #expect(route(path, sse: false) == .unknown)
        }
    }

    @Test("a path has its methods and no others")
    func methods() {
        #expect(route("/api/mcp/call").allows(.POST))
        #expect(!route("/api/mcp/call").allows(.GET))
        #expect(route("/health").allows(.HEAD))
        #expect(!route("/sse/events").allows(.HEAD))
        #expect(!route("/sse").allows(.POST))
        #expect(!route("/servers/x/messages").allows(.GET))
        #expect(!route("/api/session").allows(.RAW(value: "DELET")))
    }

    @Test(
        "targets in origin and absolute form are read, others are none (RFC 9112, 3.2)",
        arguments: [
            ("/mcp", "/mcp", "", nil), ("/mcp?a=1", "/mcp", "a=1", nil), ("/a?b?c", "/a", "b?c", nil),
            ("http://h:1/mcp?x", "/mcp", "x", "h:1"), ("HTTPS://h", "/", "", "h"), ("http://h?x", "/", "x", "h"),
        ] as [(String, String, String, String?)])
    func targets(uri: String, path: String, query: String, authority: String?) throws {
        let target = try #require(RequestTarget(uri))
        #expect(target.path == path)
        #expect(target.query == query)
        #expect(target.authority.map(String.init) == authority)
    }

    @Test("what is no target of a server is refused", arguments: ["", "*", "mcp", "h:80", "ftp://h/", "http:///x", "http://u:p@h/x"])
    func noTarget(uri: String) {
        #expect(RequestTarget(uri) == nil)
    }

    @Test("a query parameter is decoded once; one that is no UTF-8 is left as it is")
    func parameters() throws {
        let target = try #require(RequestTarget("/sse/events?a=1&ticket=x%2By+z%3D&ticket=2&bad=%FF&empty="))
        #expect(target.parameter("ticket") == "x+y z=")
        #expect(target.parameter("a") == "1")
        #expect(target.parameter("bad") == "%FF")
        #expect(target.parameter("empty") == "")
        #expect(target.parameter("none") == nil)
    }
}
