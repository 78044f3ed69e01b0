import GatewayCore
import NIOCore
import Testing

@testable import HTTPTransport

@Suite("HTTP+SSE, the transport of 2024-11-05")
struct HTTPSSETests {
    @Test("the first event names the endpoint, and answers come as messages", arguments: ["2024-11-05", "2025-11-25"])
    func answers(revision: String) async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server, revision: revision)
            #expect(client.endpoint.hasPrefix("/messages?sessionId="))
            let response = try await client.post(Request.call("up__echo", id: "\"a\""))
            #expect(response.status == 202)
            #expect(response.body == "Accepted")
            let event = try await client.stream.message()
            #expect(event.name == "message")
            #expect(event.id == nil)
            #expect(event.data?.contains(#""id":"a""#) == true)
        }
    }

    @Test("the endpoint of one server leads to that server, and only there")
    func oneServer() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server, path: "/servers/up/sse")
            #expect(client.endpoint.hasPrefix("/servers/up/messages?sessionId="))
            #expect(try await client.request(Request.call("echo")).contains(#""result""#))
            for path in ["/messages", "/servers/own/messages"] {
                let elsewhere = client.endpoint.replacing("/servers/up/messages", with: path)
                let request = Request.make(
                    "POST", path: elsewhere, fields: [("content-type", "application/json")], body: Request.ping())
                #expect(try await server.response(to: request).status == 404)
            }
            #expect(try await server.response(to: Request.make("GET", path: "/servers/none/sse")).status == 404)
        }
    }

    @Test("progress, requests to the client and its answers go their way")
    func bothWays() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__progress", arguments: #"{"count":2}"#, wantsProgress: true))
            #expect(try await client.next().contains("notifications/progress"))
            #expect(try await client.next().contains("notifications/progress"))
            #expect(try await client.next().contains(#""result""#))
            _ = try await client.post(Request.call("own__ask"))
            let asked = try await client.next()
            #expect(asked.contains("sampling/createMessage"))
            let id = try #require(asked.firstMatch(of: /"id":("[^"]*")/)?.1)
            let answer =
                #"{"jsonrpc":"2.0","id":\#(id),"result":{"role":"assistant","content":{"type":"text","text":"t"},"model":"hello"}}"#
            #expect(try await client.request(answer).contains("hello"))
        }
    }

    @Test("changes of a list come on the stream")
    func listChanges() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            #expect(try await client.request(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).contains("up__echo"))
            server.gateway.setUpstreams([])
            #expect(try await client.next().contains("notifications/tools/list_changed"))
        }
    }

    @Test("a cancelled request gets no answer")
    func cancellation() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__hold", id: "7"))
            try await server.upstream.waitForHeld()
            let cancel = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#
            #expect(try await client.post(cancel).status == 202)
            #expect(try await client.request(Request.ping(id: "8")).contains(#""id":8"#))
            #expect(server.gateway.openExchangeCount == 0)
        }
    }

    @Test("a batch of a revision that has them is answered one by one")
    func batches() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            #expect(try await client.post("[\(Request.ping(id: "1")),\(Request.ping(id: "2"))]").status == 202)
            #expect(try await client.next().contains(#""id":1"#))
            #expect(try await client.next().contains(#""id":2"#))
            #expect(try await client.post("[]").status == 400)
            let newer = try await SSEClient.start(server, revision: "2025-06-18")
            #expect(try await newer.post("[\(Request.ping())]").status == 400)
        }
    }

    @Test("when the stream breaks, what is in progress is cancelled and the session ends")
    func disconnected() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            _ = try await client.post(Request.call("up__hold"))
            try await server.upstream.waitForHeld()
            #expect(server.gateway.openExchangeCount == 1)
            await client.stream.close()
            _ = try await server.upstream.waitFor(method: "notifications/cancelled")
            try await server.wait(until: "the session is gone") {
                server.gateway.openExchangeCount == 0 && server.gateway.sessionsInMemory == 0
            }
            #expect(try await client.post(Request.ping()).status == 404)
        }
    }

    @Test("a session that is deleted ends its stream")
    func deleted() async throws {
        try await TestServer.run { server in
            let client = try await SSEClient.start(server)
            let session = try #require(client.id)
            #expect(try await server.response(to: Request.make("DELETE", session: "\(session)")).status == 204)
            #expect(try await client.stream.next() == .ended)
            #expect(try await client.post(Request.ping()).status == 404)
        }
    }

    @Test("a silent stream is kept alive")
    func keepAlive() async throws {
        try await TestServer.run({ $0.keepAlive = .milliseconds(20) }) { server in
            let client = try await SSEClient.connect(server)
            #expect(try await client.stream.event().comment == "keep-alive")
        }
    }

    @Test("a connection that only listens makes no session")
    func noSession() async throws {
        try await TestServer.run { server in
            _ = try await SSEClient.connect(server)
            #expect(server.gateway.sessionsInMemory == 0)
        }
    }
}
