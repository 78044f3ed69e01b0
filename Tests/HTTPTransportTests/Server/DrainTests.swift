import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("Drain")
struct DrainTests {
    @Test("listeners are told to reconnect, open exchanges finish, new sessions are refused, and run() returns")
    func drain() async throws {
        try await TestServer.run({
            $0.retry = .milliseconds(777)
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            let session = try await server.session()
            let (listener, _) = try await server.listen(session: session)
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            _ = try await caller.head()
            try await server.upstream.waitForHeld()
            let idle = try await server.connect()
            #expect(try await idle.response(to: Request.post(Request.ping(), session: session)).status == 200)
            let pending = Task { await server.drain() }
            #expect(try await listener.event().retry == 777)
            #expect(try await listener.next() == .ended)
            #expect(!server.hasReturned.value)
            server.upstream.release("in time")
            #expect(try await caller.messages().last?.data?.contains("in time") == true)
            for connection in [caller, listener, idle] { try await connection.waitForClose() }
            try await server.hasReturned.wait(until: "run() to return") { $0 }
            await pending.value
        }
    }

    @Test("what does not finish in the time to drain is cut off, and run() returns")
    func bounded() async throws {
        try await TestServer.run({
            $0.drainTimeout = .milliseconds(200)
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            let session = try await server.session()
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            _ = try await caller.head()
            let pending = Task { await server.drain() }
            try await caller.waitForClose()
            try await server.hasReturned.wait(until: "run() to return") { $0 }
            await pending.value
        }
    }

    @Test("a gateway on its way out refuses new sessions with 503, and closes connections after their answer")
    func refusals() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            server.gateway.beginDraining()
            let response = try await server.response(to: Request.initialize("2025-11-25"))
            #expect(response.status == 503)
            #expect(response.head["retry-after"] != nil)
            #expect(response.body.contains(#""id":0,"error""#))
            let client = try await server.connect()
            let answer = try await client.response(to: Request.post(Request.ping(), session: session))
            #expect(answer.status == 200)
            #expect(answer.head["connection"] == "close")
            try await client.waitForClose()
        }
    }
}
