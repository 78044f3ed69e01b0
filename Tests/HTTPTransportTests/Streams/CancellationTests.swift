import HTTPTransport
import NIOCore
import Testing

@Suite("Disconnect and cancellation")
struct CancellationTests {
    @Test("a client that leaves cancels nothing: the answer waits on its stream")
    func disconnect() async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(20) }) { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            _ = try await caller.head()
            let primed = try await caller.event()
            await caller.close()
            try await server.upstream.waitForHeld()
            server.upstream.release("still here")
            let (client, _) = try await server.listen(session: session, after: primed.id)
            #expect(try await client.messages().last?.data?.contains("still here") == true)
            #expect(!server.upstream.seen.value.messages.contains { $0.method == "notifications/cancelled" })
        }
    }

    @Test("a client that leaves before any answer does not disturb the server or others")
    func disconnectEarly() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            try await server.upstream.waitForHeld()
            await caller.close()
            server.upstream.release()
            #expect(try await server.response(to: Request.post(Request.call("up__echo"), session: session)).status == 200)
            #expect(!server.upstream.seen.value.messages.contains { $0.method == "notifications/cancelled" })
        }
    }

    @Test("notifications/cancelled reaches the server with the id it knows, and the call is over")
    func cancelled() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold", id: #""mine""#), session: session))
            try await server.upstream.waitForHeld()
            let body = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine","reason":"no need"}}"#
            #expect(try await server.response(to: Request.post(body, session: session)).status == 202)
            let told = try await server.upstream.waitFor(method: "notifications/cancelled")
            let held = try #require(server.upstream.seen.value.held.first)
            #expect(told.contains(#""requestId":\#(String(buffer: held.id))"#))
            #expect(told.contains(#""reason":"no need""#))
            _ = try await caller.head()
            server.upstream.release("too late")
            #expect(try await server.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(!caller.received.value.description.contains("too late"))
        }
    }

    @Test("a cancellation names a request of its own session only")
    func otherSession() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            try await server.upstream.waitForHeld()
            let body = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#
            let other = try await server.session()
            #expect(try await server.response(to: Request.post(body, session: other)).status == 202)
            server.upstream.release("unharmed")
            let head = try await caller.head()
            let rest = try await caller.received.wait(for: "the answer") { $0.takeBody(of: head) }
            #expect(rest.contains("unharmed"))
        }
    }
}
