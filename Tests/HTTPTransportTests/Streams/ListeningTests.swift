import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("Listening streams")
struct ListeningTests {
    private static let notification = #"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"#

    /// A log message that belongs to no call; sent to sessions that asked for a level.
    private func log(_ text: String) -> String { Self.notification + "\"\(text)\"}}" }

    private func setLevel(_ session: String, _ server: TestServer) async throws {
        let body = #"{"jsonrpc":"2.0","id":"level","method":"logging/setLevel","params":{"level":"debug"}}"#
        #expect(try await server.response(to: Request.post(body, session: session)).status == 200)
    }

    @Test("what a server says by itself comes on the newest open stream, once")
    func newest() async throws {
        try await TestServer.run({ $0.keepAlive = .milliseconds(40) }) { server in
            let session = try await server.session()
            try await setLevel(session, server)
            let (older, _) = try await server.listen(session: session)
            let (newer, _) = try await server.listen(session: session)
            server.upstream.say(log("one"))
            #expect(try await newer.message().data?.contains("one") == true)
            await newer.close()
            try await server.wait(until: "one stream is left") { try await server.connectedStreams(of: session) == 1 }
            server.upstream.say(log("two"))
            // All that the older one ever got.
            let event = try await older.message()
            #expect(event.data?.contains("two") == true)
            #expect(event.sequence == 1)
        }
    }

    @Test("a client that leaves is noticed at once, not by the next write")
    func leaving() async throws {
        try await TestServer.run({ $0.keepAlive = .seconds(60) }) { server in
            let session = try await server.session()
            let (listener, _) = try await server.listen(session: session)
            await listener.close()
            try await server.wait(until: "no stream is left") { try await server.connectedStreams(of: session) == 0 }
        }
    }

    @Test("a silent stream carries comments, a busy one none too many")
    func keepAlive() async throws {
        try await TestServer.run({
            $0.keepAlive = .milliseconds(50)
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            let session = try await server.session()
            let (listener, _) = try await server.listen(session: session)
            for _ in 0..<3 {
                let event = try await listener.event()
                #expect(event.comment == "keep-alive")
                #expect(event.data == nil && event.id == nil)
            }
            let caller = try await server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            _ = try await caller.head()
            _ = try await caller.event()
            #expect(try await caller.event().comment == "keep-alive")
            server.upstream.release()
            #expect(try await caller.messages().count == 1)
        }
    }

    @Test("a stream that its client left goes on where it was")
    func goingOn() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            try await setLevel(session, server)
            let (listener, first) = try await server.listen(session: session)
            await listener.close()
            // The stream's position is the client's: it names the event that it has seen last.
            let (again, _) = try await server.listen(session: session, after: first.id)
            server.upstream.say(log("kept"))
            let event = try await again.event()
            #expect(event.data?.contains("kept") == true)
            #expect(event.sequence == 1)
        }
    }

    @Test("what a session's own server says while nobody listens waits for the first stream")
    func waiting() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let call = Request.post(Request.call("own__echo"), session: session)
            #expect(try await server.response(to: call).status == 200)
            for number in 0..<3 { server.upstream.seen.value.links.last?.say(log("\(number)")) }
            // The answer comes behind the messages.
            #expect(try await server.response(to: call).status == 200)
            let (listener, _) = try await server.listen(session: session)
            for number in 0..<3 {
                let event = try await listener.message()
                #expect(event.data?.contains("\"data\":\"\(number)\"") == true)
                #expect(event.sequence == number + 1)
            }
        }
    }

    @Test("many changes of a list while nobody listens are one")
    func listChanges() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let kept = ScriptedUpstream()
            for number in 0..<3 {
                server.gateway.setUpstreams([
                    UpstreamDefinition(name: "up\(number)", isolation: .shared, factory: kept, fingerprint: "\(number)")
                ])
                let list = Request.post(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, session: session)
                #expect(try await server.response(to: list).body.contains("up\(number)__echo"))
            }
            let (listener, _) = try await server.listen(session: session)
            #expect(try await listener.message().data?.contains("notifications/tools/list_changed") == true)
            server.gateway.setUpstreams([])
            let next = try await listener.message()
            #expect(next.data?.contains("notifications/tools/list_changed") == true)
            #expect(next.sequence == 2)
        }
    }
}
