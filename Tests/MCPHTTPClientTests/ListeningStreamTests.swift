import MCPHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import ScriptedHTTPServer
import Testing

@Suite("Listening stream and end of a client", .timeLimit(.minutes(1)))
struct ListeningStreamTests {
    private static let session = [("Mcp-Session-Id", "abc")]

    @Test("a stream that drops is opened again with Last-Event-ID")
    func reconnects() async throws {
        let gets = NIOLockedValueBox(0)
        try await withClient { request, number, reply in
            guard request.method == .GET else { return reply.json(Fixture.initializeAnswer, headers: Self.session) }
            switch gets.withLockedValue({
                $0 += 1; return $0
            }) {
            case 1:
                reply.events("id: l.1\nretry: 2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n\n")
                reply.cut()
            case 2: reply.empty(.badGateway)
            case 3:
                reply.events("id: l.2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"b\"}\n\n")
                reply.end()
            default: reply.events("data: {\"jsonrpc\":\"2.0\",\"method\":\"c\"}\n\n")
            }
        } body: { fixture in
            try await fixture.initialize()
            fixture.client.initialized(revision: "2025-11-25", openListeningStream: true)
            let events = try await fixture.recorder.wait(for: 4)
            #expect(
                Array(events.dropFirst()) == ["a", "b", "c"].map { Recorder.Event.message("{\"jsonrpc\":\"2.0\",\"method\":\"\($0)\"}") })
            let requests = fixture.server.requests.filter { $0.method == .GET }
            #expect(requests.map { $0.headers["Last-Event-ID"] } == [[], ["l.1"], ["l.1"], ["l.2"]])
            #expect(requests.allSatisfy { $0.headers["MCP-Protocol-Version"] == ["2025-11-25"] })
        }
    }

    @Test("a server without one is asked once")
    func notOffered() async throws {
        try await withClient { request, _, reply in
            guard request.method == .POST else { return reply.empty(.methodNotAllowed) }
            reply.json(Fixture.initializeAnswer, headers: Self.session)
        } body: { fixture in
            try await fixture.initialize()
            fixture.client.initialized(revision: "2025-11-25", openListeningStream: true)
            for count in 2...5 {
                fixture.send(#"{"jsonrpc":"2.0","id":0,"method":"x"}"#, token: 1)
                try await fixture.recorder.wait(for: count)
            }
            #expect(fixture.server.requests.filter { $0.method == .GET }.count == 1)
        }
    }

    @Test("404 on the stream ends the session")
    func sessionGone() async throws {
        try await withClient { request, _, reply in
            guard request.method == .POST else { return reply.json("{}", status: .notFound) }
            reply.json(Fixture.initializeAnswer, headers: Self.session)
        } body: { fixture in
            try await fixture.initialize()
            fixture.client.initialized(revision: "2025-11-25", openListeningStream: true)
            let seen = try await fixture.recorder.wait(for: 2)
            #expect(seen[1] == .sessionEnded)
        }
    }

    @Test("close terminates the session and fails what is under way, once")
    func closing() async throws {
        try await withClient { request, _, reply in
            switch request.method {
            case .DELETE: reply.empty(.ok)
            case .GET: reply.events()
            default: if request.body.contains("initialize") { reply.json(Fixture.initializeAnswer, headers: Self.session) }
            }
        } body: { fixture in
            try await fixture.initialize()
            fixture.client.initialized(revision: "2025-11-25", openListeningStream: true)
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"x"}"#, token: 5)
            try await fixture.client.close(terminateSession: true).get()
            fixture.send(#"{"jsonrpc":"2.0","id":2,"method":"x"}"#, token: 6)
            let events = try await fixture.recorder.wait(for: 3)
            #expect(events.dropFirst() == [.failed(5, .closed), .failed(6, .closed)])
            let last = fixture.server.requests.first { $0.method == .DELETE }
            #expect(last?.headers["Mcp-Session-Id"] == ["abc"])
            #expect(last?.headers["MCP-Protocol-Version"] == ["2025-11-25"])
        }
    }

    @Test("resetting the session drops the id and lets what is under way go on")
    func reset() async throws {
        let parked = NIOLockedValueBox<ScriptedServer.Reply?>(nil)
        try await withClient { request, number, reply in
            if request.body.contains("park") {
                parked.withLockedValue { $0 = reply }
            } else {
                reply.json(Fixture.initializeAnswer, headers: Self.session)
            }
        } body: { fixture in
            try await fixture.initialize()
            fixture.send(#"{"jsonrpc":"2.0","id":1,"method":"park"}"#, token: 5)
            fixture.client.resetSession()
            fixture.send(#"{"jsonrpc":"2.0","id":0,"method":"x"}"#, token: 6)
            try await fixture.recorder.wait(for: 2)
            let requests = fixture.server.requests.dropFirst()
            #expect(requests.first { $0.body.contains("park") }?.headers["Mcp-Session-Id"] == ["abc"])
            #expect(requests.first { !$0.body.contains("park") }?.headers["Mcp-Session-Id"] == [])
            try #require(parked.withLockedValue { $0 }).json(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            let seen = try await fixture.recorder.wait(for: 3)
            #expect(seen[2] == .message(#"{"jsonrpc":"2.0","id":1,"result":{}}"#))
        }
    }
}
