import MCPHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import ScriptedHTTPServer
import Testing

@Suite("Streamable HTTP client", .timeLimit(.minutes(1)))
struct StreamableHTTPClientTests {
    private static let initialize = Fixture.initializeAnswer
    private static let session = [("Mcp-Session-Id", "abc-123")]

    @Test("the session id of the initialize answer and the revision go with everything after")
    func headers() async throws {
        try await withClient { request, number, reply in
            switch number {
            case 1: reply.json(Self.initialize, headers: Self.session)
            case 2: reply.empty(.accepted)
            default: reply.json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            }
        } configure: {
            $0.headers = [("X-Test", "1"), ("Accept", "text/html")]
        } body: { fixture in
            try await fixture.initialize()
            fixture.send(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, token: 7)
            try await fixture.recorder.wait(for: 2)
            let requests = fixture.server.requests
            #expect(requests.map(\.method) == [.POST, .POST, .POST])
            #expect(requests.map { $0.headers["Mcp-Session-Id"] } == [[], ["abc-123"], ["abc-123"]])
            #expect(requests.map { $0.headers["MCP-Protocol-Version"] } == [[], ["2025-11-25"], ["2025-11-25"]])
            for request in requests {
                #expect(request.headers["Accept"] == ["application/json, text/event-stream"])
                #expect(request.headers["Content-Type"] == ["application/json"])
                #expect(request.headers["X-Test"] == ["1"])
                #expect(request.uri == "/mcp")
            }
            #expect(requests[1].body.contains("notifications/initialized"), "the request did not overtake it")
            #expect(Set(requests.map(\.connection)).count == 1, "one kept connection")
            #expect(fixture.recorder.events.last == .message(#"{"jsonrpc":"2.0","id":1,"result":{}}"#))
        }
    }

    @Test("credentials of the URL become basic authorization and are not in the path")
    func credentials() async throws {
        try await withClient { _, _, reply in
            reply.json(Self.initialize)
        } url: {
            "http://me:pass@127.0.0.1:\($0)/mcp?x=1"
        } body: { fixture in
            try await fixture.initialize()
            #expect(fixture.server.requests[0].headers["Authorization"] == ["Basic bWU6cGFzcw=="])
            #expect(fixture.server.requests[0].uri == "/mcp?x=1")
        }
    }

    @Test("messages before the response come in order; events of other types and broken ones are skipped")
    func sseAnswer() async throws {
        try await withClient { _, _, reply in
            reply.events("id: 1\ndata:\n\nevent: ping\ndata: {}\n\ndata: {broken\n\n")
            reply.write("data: {\"jsonrpc\":\"2.0\",\ndata: \"method\":\"a\"}\n\n")
            reply.write("data: [{\"jsonrpc\":\"2.0\",\"method\":\"b\"},{\"jsonrpc\":\"2.0\",\"id\":\"q\\/1\",\"result\":{}}]\r\n\r\n")
            reply.end()
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":"q/1","method":"x"}"#, token: 1)
            let events = try await fixture.recorder.wait(for: 3)
            #expect(
                events == [
                    .message("{\"jsonrpc\":\"2.0\",\n\"method\":\"a\"}"), .message(#"{"jsonrpc":"2.0","method":"b"}"#),
                    .message(#"{"jsonrpc":"2.0","id":"q\/1","result":{}}"#),
                ])
        }
    }

    @Test("a JSON batch is split")
    func jsonBatch() async throws {
        try await withClient { _, _, reply in
            reply.json(#"[{"jsonrpc":"2.0","method":"n"}, {"jsonrpc":"2.0","id":1,"result":1}]"#)
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 1)
            let events = try await fixture.recorder.wait(for: 2)
            #expect(events == [.message(#"{"jsonrpc":"2.0","method":"n"}"#), .message(#"{"jsonrpc":"2.0","id":1,"result":1}"#)])
        }
    }

    @Test("a stream cut before the response is resumed by GET with Last-Event-ID, as often as needed")
    func resumption() async throws {
        try await withClient { request, number, reply in
            switch number {
            case 1: reply.json(Self.initialize, headers: Self.session)
            case 2:
                reply.events("id: s.1\nretry: 1\ndata:\n\n")
                reply.cut()
            case 3:
                reply.events("id: s.2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\nid: s.3\ndata: {\"jsonr")
                reply.cut()
            case 4: reply.empty(.serviceUnavailable)
            case 5: reply.cut()
            default:
                reply.events("id: s.3\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
                reply.end()
            }
        } body: { fixture in
            try await fixture.initialize()
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 1)
            let events = try await fixture.recorder.wait(for: 3)
            #expect(
                events.dropFirst() == [.message(#"{"jsonrpc":"2.0","method":"n"}"#), .message(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)])
            let resumed = fixture.server.requests.dropFirst(2)
            #expect(resumed.map(\.method) == [.GET, .GET, .GET, .GET])
            #expect(resumed.map { $0.headers["Last-Event-ID"] } == [["s.1"], ["s.2"], ["s.2"], ["s.2"]])
            #expect(resumed.allSatisfy { $0.headers["Mcp-Session-Id"] == ["abc-123"] && $0.headers["Accept"] == ["text/event-stream"] })
            #expect(resumed.allSatisfy { $0.body.isEmpty && !$0.headers.contains(name: "Content-Type") })
        }
    }

    @Test("resuming in vain ends after the configured attempts")
    func resumptionGivesUp() async throws {
        try await withClient { request, number, reply in
            if number == 1 { reply.events("id: 1\nretry: 0\ndata:\n\n") }
            reply.cut()
        } configure: {
            $0.maxReconnectAttempts = 3
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 9)
            let events = try await fixture.recorder.wait(for: 1)
            guard case .failed(9, .connectionLost) = events[0] else {
                Issue.record("\(events)")
                return
            }
            #expect(fixture.server.requests.count == 4)
        }
    }

    @Test("a stream cut without an event id fails the request")
    func cutWithoutID() async throws {
        try await withClient { _, _, reply in
            reply.events("data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n")
            reply.end()
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 9)
            let events = try await fixture.recorder.wait(for: 2)
            #expect(events[1] == .failed(9, .connectionLost(reason: "the server closed the stream")))
        }
    }

    @Test("404 to a session id ends the session once and fails every request of it")
    func sessionEnds() async throws {
        // Refused when both have come: after the first refusal the second would not be sent.
        let waiting = NIOLockedValueBox<ScriptedServer.Reply?>(nil)
        try await withClient { request, number, reply in
            switch number {
            case 1: reply.json(Self.initialize, headers: Self.session)
            case 2: waiting.withLockedValue { $0 = reply }
            case 3:
                for reply in [waiting.withLockedValue { $0 }, reply] {
                    reply?.json(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"gone"}}"#, status: .notFound)
                }
            default: reply.json(Self.initialize, headers: [("Mcp-Session-Id", "new")])
            }
        } body: { fixture in
            try await fixture.initialize()
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 1)
            fixture.send(#"{"jsonrpc":"2.0","id":2,"method":"x"}"#, token: 2)
            var events = try await fixture.recorder.wait(for: 4)
            #expect(events[1] == .sessionEnded)
            #expect(Set(events[2...]) == [.failed(1, .sessionEnded), .failed(2, .sessionEnded)])
            fixture.send(#"{"jsonrpc":"2.0","id":3,"method":"x"}"#, token: 3)
            events = try await fixture.recorder.wait(for: 5)
            #expect(events[4] == .failed(3, .sessionEnded))
            #expect(fixture.server.requests.count == 3, "the dead id is not used again")
            fixture.send(#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#, token: 4)
            try await fixture.recorder.wait(for: 6)
            #expect(fixture.server.requests[3].headers["Mcp-Session-Id"] == [])
            #expect(fixture.server.requests[3].headers["MCP-Protocol-Version"] == [])
        }
    }

    @Test("an error status delivers a JSON-RPC error for the request, or fails it with a bounded excerpt")
    func errorStatuses() async throws {
        let long = String(repeating: "x", count: 2000)
        try await withClient { _, number, reply in
            switch number {
            case 1: reply.json(#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no"}}"#, status: .badRequest)
            case 2: reply.json(#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}"#, status: .forbidden)
            case 3: reply.json(long, status: .internalServerError)
            case 4: reply.json("", status: .temporaryRedirect, headers: [("Location", "http://127.0.0.1:1/")])
            case 5: reply.json("not found", status: .notFound)
            default: reply.empty(.methodNotAllowed)
            }
        } body: { fixture in
            for token in UInt64(1)...6 {
                fixture.send(#"{"jsonrpc":"2.0","id":\#(token),"method":"x"}"#, token: token)
                try await fixture.recorder.wait(for: Int(token))
            }
            #expect(
                fixture.recorder.events == [
                    .message(#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no"}}"#),
                    .failed(2, .http(status: 403, excerpt: #"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}"#)),
                    .failed(3, .http(status: 500, excerpt: String(repeating: "x", count: 512) + "…")),
                    .failed(4, .http(status: 307, excerpt: "")), .failed(5, .http(status: 404, excerpt: "not found")),
                    .failed(6, .http(status: 405, excerpt: "")),
                ])
        }
    }

    @Test("answers that hold no response fail the request with the reason")
    func badAnswers() async throws {
        try await withClient { _, number, reply in
            switch number {
            case 1: reply.empty(.accepted)
            case 2: reply.json(#"{"jsonrpc":"2.0","id":99,"result":{}}"#)
            case 3: reply.json("{")
            case 4: reply.json("", headers: [])
            case 5:
                reply.head(.ok, [("Content-Type", "text/html; charset=utf-8")], length: 2)
                reply.write("hi")
                reply.end()
            default: reply.cut()
            }
        } body: { fixture in
            var failures: [StreamableHTTPError] = []
            for token in UInt64(1)...6 {
                fixture.send(#"{"jsonrpc":"2.0","id":\#(token),"method":"x"}"#, token: token)
                try await fixture.recorder.wait { $0.contains { if case .failed(token, _) = $0 { true } else { false } } }
                if case .failed(_, let error)? = fixture.recorder.events.last { failures.append(error) }
            }
            #expect(failures.count == 6)
            #expect(failures[0] == .noResponse(excerpt: "HTTP status 202"))
            #expect(failures[1] == .noResponse(excerpt: #"{"jsonrpc":"2.0","id":99,"result":{}}"#))
            if case .malformedMessage = failures[2] {} else { Issue.record("\(failures[2])") }
            #expect(failures[3] == .noResponse(excerpt: ""))
            #expect(failures[4] == .unexpectedContentType("text/html"))
            if case .connectionLost = failures[5] {} else { Issue.record("\(failures[5])") }
        }
    }

    @Test("a server that is not there fails the request at once, safe to send again")
    func connectionRefused() async throws {
        try await withClient { _, _, reply in
            reply.cut()
        } url: { _ in
            "http://127.0.0.1:1/mcp"
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 1)
            let events = try await fixture.recorder.wait(for: 1)
            guard case .failed(1, let error) = events[0] else { return }
            #expect(error.isSafeToResend && error.isUnreachable, "\(error)")
        }
    }

    @Test("bounds hold: message size, requests in flight, time to the response head")
    func bounds() async throws {
        try await withClient { request, _, reply in
            if request.body.contains("big") { reply.json(String(repeating: " ", count: 2000)) }
            if request.body.contains("sse") { reply.events("id: 1\ndata: " + String(repeating: "x", count: 2000)) }
        } configure: {
            $0.maxMessageBytes = 1000
            $0.maxInFlight = 2
            $0.responseTimeout = .seconds(2)
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"big"}"#, token: 1)
            try await fixture.recorder.wait(for: 1)
            fixture.send(#"{"jsonrpc":"2.0","id":2,"method":"sse"}"#, token: 2)
            try await fixture.recorder.wait(for: 2)
            for token in UInt64(3)...5 { fixture.send(#"{"jsonrpc":"2.0","id":\#(token),"method":"mute"}"#, token: token) }
            let events = try await fixture.recorder.wait(for: 5)
            #expect(events[0] == .failed(1, .messageTooLarge(limit: 1000)))
            #expect(events[1] == .failed(2, .messageTooLarge(limit: 1000)))
            #expect(events[2] == .failed(5, .tooManyInFlight(limit: 2)))
            #expect(Set(events[3...]) == [.failed(3, .timedOut(seconds: 2)), .failed(4, .timedOut(seconds: 2))])
        }
    }

    @Test("an invalid URL, an invalid message and an invalid session id are reported")
    func invalidInput() async throws {
        try await withClient { _, _, reply in
            reply.json(Self.initialize, headers: [("Mcp-Session-Id", "a b")])
        } body: { fixture in
            fixture.send("{", token: 1)
            fixture.send(#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#, token: 2)
            let events = try await fixture.recorder.wait(for: 2)
            if case .failed(1, .malformedMessage) = events[0] {} else { Issue.record("\(events)") }
            #expect(events[1] == .failed(2, .invalidSessionID))
        }
        try await withClient { _, _, reply in
            reply.cut()
        } url: { _ in
            "ftp://x"
        } body: { fixture in
            fixture.send(#"{"jsonrpc":"2.0","id":0,"method":"initialize"}"#, token: 2)
            let seen = try await fixture.recorder.wait(for: 1)
            #expect(seen == [.failed(2, .invalidURL)])
        }
    }

    @Test("notifications keep their order")
    func notificationOrder() async throws {
        try await withClient { request, _, reply in
            if request.body.contains("ping") {
                reply.json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            } else {
                reply.empty(.accepted)
            }
        } body: { fixture in
            for number in 0..<50 { fixture.send(#"{"jsonrpc":"2.0","method":"n\#(number)"}"#) }
            fixture.send(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, token: 1)
            try await fixture.recorder.wait(for: 1)
            let bodies = fixture.server.requests.map(\.body)
            #expect(bodies.count == 52)
            for number in 0..<50 { #expect(bodies[number].contains("\"n\(number)\"")) }
        }
    }

    @Test("reading can be paused and resumed")
    func pause() async throws {
        try await withClient { _, _, reply in
            reply.events("data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n")
            reply.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
            reply.end()
        } body: { fixture in
            fixture.client.pauseReading()
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 1)
            fixture.client.resumeReading()
            try await fixture.recorder.wait(for: 2)
        }
    }
}
