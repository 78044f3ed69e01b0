import GatewayCore
import NIOCore
import Testing

@testable import HTTPTransport

@Suite("HTTP+SSE: what is refused, and how it ends")
struct HTTPSSERefusalTests {
    private func post(_ path: String, type: String = "application/json", body: String = Request.ping()) -> String {
        Request.make("POST", path: path, fields: [("content-type", type)], body: body)
    }

    @Test("messages that cannot be taken get a status that says why")
    func statuses() async throws {
        try await TestServer.run({ $0.maxBodyBytes = 2000 }) { server in
            let client = try await SSEClient.start(server)
            let unknown = "\(server.gateway.makeSessionID())"
            #expect(try await server.response(to: post("/messages")).status == 400)
            #expect(try await server.response(to: post("/messages?sessionId=")).status == 400)
            #expect(try await server.response(to: post("/messages?sessionId=x")).status == 404)
            #expect(try await server.response(to: post("/messages?sessionId=\(unknown)")).status == 404)
            #expect(try await server.response(to: post(client.endpoint, type: "text/plain")).status == 415)
            #expect(try await client.post("{").status == 400)
            #expect(try await client.post(#"{"jsonrpc":"2.0","id":1}"#).status == 400)
            #expect(try await client.post(String(repeating: " ", count: 2001)).status == 413)
            #expect(try await server.response(to: Request.make("GET", path: client.endpoint)).status == 405)
            #expect(try await server.response(to: Request.make("DELETE", path: "/sse")).status == 405)
            let json = Request.make("GET", path: "/sse", fields: [("accept", "application/json")])
            #expect(try await server.response(to: json).status == 406)
            let foreign = Request.make("GET", path: "/sse", fields: [("origin", "https://evil.example")])
            #expect(try await server.response(to: foreign).status == 403)
            #expect(try await client.request(Request.ping(id: "9")).contains(#""id":9"#))
        }
    }

    @Test("the id of a session of another transport is none here")
    func otherTransport() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            #expect(try await server.response(to: post("/messages?sessionId=\(session)")).status == 404)
        }
    }

    @Test("before initialize there is only ping; a refused request is told on the stream too")
    func order() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.connect(server)
            #expect(try await client.request(Request.ping(id: "1")).contains(#""id":1,"result""#))
            #expect(try await client.post(Request.call("up__echo", id: "2")).status == 400)
            #expect(try await client.next().contains(#""id":2,"error""#))
            #expect(try await client.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).status == 400)
            #expect(try await client.request(SSEClient.initialize("2024-11-05")).contains("serverInfo"))
            #expect(try await client.request(SSEClient.initialize("2024-11-05")).contains(#""error""#))
        }
    }

    @Test("a session with as many requests in progress as it may have gets 429, and a place is free again after the answer")
    func busy() async throws {
        try await TestServer.run(core: { $0.maxConcurrentPerSession = 1 }) { server in
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__hold", id: "1"))
            try await server.upstream.waitForHeld()
            let refused = try await client.post(Request.ping(id: "2"))
            #expect(refused.status == 429)
            #expect(refused.head["retry-after"] != nil)
            #expect(try await client.next().contains(#""id":2,"error""#))
            server.upstream.release()
            #expect(try await client.next().contains(#""id":1,"result""#))
            #expect(try await client.request(Request.ping(id: "3")).contains(#""id":3"#))
        }
    }

    @Test("a request that is worked on holds its place among all requests, though its POST is answered")
    func places() async throws {
        try await TestServer.run({ $0.maxConcurrentRequests = 1 }) { server in
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__hold"))
            try await server.upstream.waitForHeld()
            #expect(try await client.post(Request.ping()).status == 503)
            server.upstream.release()
            _ = try await client.next()
            try await server.wait(until: "the place is free") { try await client.post(Request.ping()).status == 202 }
        }
    }

    @Test("a stream on which nobody says hello is ended after the time that a connection may be idle; others stay")
    func silent() async throws {
        try await TestServer.run({
            // The one that says hello must have done so by then, however busy the machine.
            $0.idleTimeout = .seconds(6)
            $0.keepAlive = .milliseconds(40)
        }) { server in
            let client = try await SSEClient.start(server)
            let silent = try await SSEClient.connect(server)
            while case .event = try await silent.stream.next() {}
            #expect(try await client.request(Request.ping(id: "1")).contains(#""id":1"#))
        }
    }

    @Test("a reader for whom too much waits is disconnected, and its session ends")
    func slowReader() async throws {
        try await TestServer.run({ $0.slowReaderBuffer = 256 << 10 }) { server in
            let stream = try await server.connect(reads: false)
            try await stream.send(Request.make("GET", path: "/sse"))
            try await stream.startReading()
            _ = try await stream.head()
            let client = SSEClient(server: server, stream: stream, endpoint: try await stream.event().data ?? "")
            _ = try await client.request(SSEClient.initialize("2024-11-05"))
            _ = try await client.post(Request.call("up__hold", wantsProgress: true))
            try await server.upstream.waitForHeld()
            try await stream.stopReading()
            let padding = String(repeating: "x", count: 60_000)
            for _ in 0..<400 { server.upstream.reportProgress(padding) }
            try await server.wait(until: "the session is gone") { server.gateway.sessionsInMemory == 0 }
        }
    }

    @Test("a draining gateway answers what was asked, takes answers but no requests, and ends the stream")
    func drain() async throws {
        try await TestServer.run { server in
            let idle = try await SSEClient.start(server)
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__hold"))
            try await server.upstream.waitForHeld()
            let pending = Task { await server.drain() }
            #expect(try await idle.stream.next() == .ended)
            #expect(try await server.response(to: Request.make("GET", path: "/sse")).status == 503)
            #expect(try await client.post(Request.ping(id: "5")).status == 503)
            #expect(try await client.next().contains(#""id":5,"error""#))
            server.upstream.release("in time")
            #expect(try await client.next().contains("in time"))
            #expect(try await client.stream.next() == .ended)
            try await server.hasReturned.wait(until: "run() to return") { $0 }
            await pending.value
        }
    }
}
