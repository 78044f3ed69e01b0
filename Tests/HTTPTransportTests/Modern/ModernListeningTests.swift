import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("Modern clients that listen, and that are asked")
struct ModernListeningTests {
    @Test("the acknowledgement comes first, then what changes, without ids")
    func listen() async throws {
        try await TestServer.run { server in
            #expect(try await server.response(to: Request.modern("tools/list")).status == 200)
            let client = try await server.connect()
            try await client.send(Request.modernListen(id: #""sub""#))
            let head = try await client.head()
            #expect(head.status == 200 && head["content-type"] == "text/event-stream")
            let first = try await client.event()
            #expect(first.id == nil)
            #expect(first.data?.contains("notifications/subscriptions/acknowledged") == true)
            server.upstream.changeTools()
            let changed = try await client.message()
            #expect(changed.id == nil)
            #expect(changed.data?.contains("notifications/tools/list_changed") == true)
            #expect(changed.data?.contains(#""io.modelcontextprotocol/subscriptionId":"sub""#) == true)
            await client.close()
            try await server.wait(until: "nobody listens") { server.gateway.sessionsInMemory == 0 && server.gateway.openExchangeCount == 0 }
        }
    }

    @Test("a silent stream carries comments")
    func keepAlive() async throws {
        try await TestServer.run({ $0.keepAlive = .milliseconds(40) }) { server in
            let client = try await server.connect()
            try await client.send(Request.modernListen())
            _ = try await client.head()
            #expect(try await client.event().isMessage)
            for _ in 0..<2 { #expect(try await client.event().comment == "keep-alive") }
        }
    }

    @Test("a filter that is none is refused in JSON")
    func refused() async throws {
        try await TestServer.run { server in
            let response = try await server.response(to: Request.modernListen("[]"))
            #expect(response.head["content-type"] == "application/json")
            #expect(response.errorCode == -32602)
        }
    }

    @Test("a gateway on its way out ends it with a result, and calls are finished")
    func drain() async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(20) }) { server in
            let listener = try await server.connect()
            try await listener.send(Request.modernListen(id: #""sub""#))
            _ = try await listener.head()
            #expect(try await listener.message().data?.contains("acknowledged") == true)
            let caller = try await server.connect()
            try await caller.send(Request.modernCall("up__hold"))
            _ = try await caller.head()
            try await server.upstream.waitForHeld()
            let pending = Task { await server.drain() }
            let last = try await listener.message()
            #expect(last.data?.contains(#""id":"sub","result":{"resultType":"complete""#) == true)
            #expect(try await listener.next() == .ended)
            #expect(!server.hasReturned.value)
            server.upstream.release("in time")
            #expect(try await caller.messages().last?.data?.contains("in time") == true)
            try await server.hasReturned.wait(until: "run() to return") { $0 }
            await pending.value
        }
    }

    @Test("input that a server asks for is brought on another connection, and the answer comes there")
    func input() async throws {
        try await TestServer.run { server in
            let asked = try await server.response(to: Request.modernCall("own__ask", id: "1"))
            #expect(asked.status == 200)
            #expect(asked.body.contains(#""resultType":"input_required""#))
            #expect(asked.body.contains(#""method":"sampling/createMessage""#))
            let key = try #require(asked.body.firstMatch(of: #/"inputRequests":\{"([^"]+)"/#)).1
            let state = try #require(asked.body.firstMatch(of: #/"requestState":"([^"]+)"/#)).1
            let more =
                #","inputResponses":{"\#(key)":{"role":"assistant","content":{"type":"text","text":"x"},"model":"m-1"}},"requestState":"\#(state)""#
            let answer = try await server.response(to: Request.modernCall("own__ask", id: "2", more: more))
            #expect(answer.status == 200)
            #expect(answer.body.contains(#""id":2,"result""#))
            #expect(answer.body.contains("m-1"))
            // It is good for one use.
            #expect(try await server.response(to: Request.modernCall("own__ask", id: "3", more: more)).errorCode == -32602)
            try await server.wait(until: "nothing is open") { server.gateway.openExchangeCount == 0 }
        }
    }
}
