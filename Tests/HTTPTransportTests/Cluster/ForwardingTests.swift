import EmbeddedStore
import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ScriptedHTTPServer
import Testing

@testable import HTTPTransport

@Suite("Several instances")
struct ForwardingTests {
    /// Two servers that share one store.
    func pair(
        _ change: (inout HTTPTransportSettings) -> Void = { _ in }, core changeCore: (inout CoreSettings) -> Void = { _ in },
        _ body: (SharedHomes, Node, Node) async throws -> Void
    ) async throws {
        let homes = try SharedHomes()
        let (first, second) = (homes.instance("a"), homes.instance("b"))
        try await TestServer.run(change, core: changeCore, instance: first) { one in
            try await TestServer.run(change, core: changeCore, instance: second) { two in
                try await body(homes, Node(server: one, instance: first), Node(server: two, instance: second))
            }
        }
        homes.store.close()
    }

    struct Node {
        let server: TestServer
        let instance: SharedHomes.Instance
    }

    @Test("a request is served by the session's home, wherever it lands, and asked for only once")
    func lands() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            #expect(homes.home(of: session) == "a")
            for round in 0..<5 {
                let answer = try await b.server.response(to: Request.post(Request.call("up__echo", id: "\(round)"), session: session))
                #expect(answer.status == 200)
                #expect(answer.body.contains("\"id\":\(round)"))
            }
            #expect(homes.claims == 1)
            #expect(a.server.gateway.sessionsInMemory == 1)
            #expect(b.server.gateway.sessionsInMemory == 0)
        }
    }

    @Test("what the client sees is what its home says: statuses, fields, request ids")
    func fidelity() async throws {
        try await pair { _, a, b in
            let session = try await a.server.session()
            let fields = [("x-request-id", "mine"), ("origin", "http://localhost:5173")]
            let refused = try await b.server.response(to: Request.post("{\"jsonrpc\":\"2.0\",\"id\":1}", session: session, fields: fields))
            #expect(refused.status == 400)
            let answer = try await b.server.response(to: Request.post(Request.ping(), session: session, fields: fields))
            #expect(answer.status == 200)
            #expect(answer.head["x-request-id"] == "mine")
            #expect(answer.head["access-control-allow-origin"] == "http://localhost:5173")
            let unknown = try await b.server.response(to: Request.post(Request.ping(), session: "9a4b8c7d-0000-4000-8000-000000000000"))
            #expect(unknown.status == 404)
        }
    }

    @Test("a stream that is listened to elsewhere brings what happens at home, and a break of it is noticed there")
    func listens() async throws {
        try await pair { _, a, b in
            let session = try await a.server.session()
            let (client, _) = try await b.server.listen(session: session)
            #expect(try await a.server.connectedStreams(of: session) == 1)
            a.server.upstream.changeTools()
            #expect(try await client.message().data?.contains("notifications/tools/list_changed") == true)
            await client.close()
            try await a.server.wait(until: "the stream is let go") { try await a.server.connectedStreams(of: session) == 0 }
        }
    }

    @Test("a stream that is listened to elsewhere ends in order when that instance drains")
    func listensWhileDraining() async throws {
        try await pair { _, a, b in
            let session = try await a.server.session()
            let (client, _) = try await b.server.listen(session: session)
            await b.server.drain()
            var last = try await client.next()
            while case .event = last { last = try await client.next() }
            #expect(last == .ended)
        }
    }

    @Test("a long answer leaves the way between two instances free for the next request")
    func longAnswers() async throws {
        let long = #"{"text":"\#(String(repeating: "x", count: 1 << 20))"}"#
        try await pair { _, a, b in
            let session = try await a.server.session()
            let client = try await b.server.connect()
            for round in 0..<20 {
                let call = Request.call("up__echo", id: "\(round)", arguments: long)
                #expect(try await client.response(to: Request.post(call, session: session)).body.utf8.count > 1 << 20)
                #expect(try await client.response(to: Request.post(Request.ping(), session: session)).status == 200)
            }
        }
    }

    @Test("DELETE elsewhere ends the session at home")
    func delete() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            #expect(try await b.server.response(to: Request.make("DELETE", session: session)).status == 204)
            #expect(homes.home(of: session) == nil)
            #expect(try await a.server.response(to: Request.post(Request.ping(), session: session)).status == 404)
        }
    }

    @Test("an answer in progress is lost with its home, and said to be; the session goes on elsewhere")
    func dies() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            let client = try await b.server.connect()
            try await client.send(Request.post(Request.call("up__hold", id: "7"), session: session))
            try await a.server.upstream.waitForHeld()
            a.instance.die()
            let answer = try await client.response()
            #expect(answer.status == 200)
            #expect(answer.body.contains("\"id\":7") && answer.body.contains("outcome of this request is unknown"))
            #expect(try await b.server.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(homes.home(of: session) == "b")
            a.server.upstream.release()
        }
    }

    @Test("a request that may be worked on twice is taken over from a home that died")
    func repeats() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            a.instance.movesAway()
            let client = try await b.server.connect()
            try await client.send(Request.post(Request.ping(id: "8"), session: session))
            a.instance.die()
            let answer = try await client.response()
            #expect(answer.status == 200)
            #expect(answer.body.contains("\"id\":8"))
            #expect(homes.home(of: session) == "b")
        }
    }

    @Test("what may be worked on twice, and breaks whoever works on it, is repeated as often as may be and no more", arguments: [0, 2])
    func poison(bound: Int) async throws {
        let breaking = ScriptedServer { _, _, reply in reply.cut() }
        let port = try await breaking.start(on: MultiThreadedEventLoopGroup.singleton)
        try await pair(core: { $0.maxRepetitions = bound }) { homes, a, b in
            let session = try await a.server.session()
            a.instance.listens(on: port)
            let hits = LimitHits.total(.maxRepetitions)
            let answer = try await b.server.response(to: Request.post(Request.ping(id: "9"), session: session))
            #expect(answer.status == 200)
            #expect(answer.body.contains("\"id\":9") && answer.body.contains("outcome of this request is unknown"))
            #expect(breaking.requests.count == 1 + bound)
            #expect(LimitHits.total(.maxRepetitions) > hits)
            #expect(homes.home(of: session) == "a")
        }
        try await breaking.stop()
    }

    @Test("an instance whose name another process has serves nothing any more, and hands back what comes")
    func displaced() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            #expect(a.server.gateway.sessionsInMemory == 1)
            let displace = try #require(a.instance.replaced.withLockedValue { $0 })
            displace()
            #expect(a.server.gateway.sessionsInMemory == 0)
            for request in [Request.post(Request.ping(), session: session), Request.post(Request.initialize("2025-11-25"))] {
                let answer = try await a.server.response(to: request)
                #expect(answer.status == 421)
                #expect(answer.body.contains("another process runs as this instance"))
            }
            #expect(try await a.server.response(to: Request.make("GET", path: "/health")).status == 200)
            a.instance.die()
            #expect(try await b.server.response(to: Request.post(Request.ping(), session: session)).status == 200)
        }
    }

    @Test("a home that lives and cannot be reached is said so when the time is over")
    func unreachable() async throws {
        try await pair({ $0.forwardTimeout = .milliseconds(300) }) { homes, a, b in
            let session = try await a.server.session()
            a.instance.movesAway()
            let answer = try await b.server.response(to: Request.post(Request.ping(), session: session))
            #expect(answer.status == 421)
            #expect(answer.body.contains("cannot be reached"))
            #expect(homes.home(of: session) == "a")
        }
    }

    @Test("an instance that drains gives its sessions away and sends on what is new")
    func drains() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            let keptOpen = try await a.server.connect()
            #expect(try await keptOpen.response(to: Request.post(Request.ping(), session: session)).status == 200)
            // Something in progress keeps the server up.
            let busy = try await a.server.session()
            let caller = try await a.server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: busy))
            try await a.server.upstream.waitForHeld()
            await a.server.drain()
            try await b.server.wait(until: "the session is given away") { homes.home(of: session) == nil }
            #expect(homes.home(of: busy) == "a")
            let moved = try await keptOpen.response(to: Request.post(Request.ping(id: "2"), session: session))
            #expect(moved.status == 200)
            #expect(homes.home(of: session) == "b")
            a.server.upstream.release()
            #expect(try await caller.response().status == 200)
        }
    }

    @Test("what another instance works on for a client of one that drains is still answered; what is modern and new goes there at once")
    func drainsWhileForwarding() async throws {
        try await pair { homes, a, b in
            let session = try await b.server.session()
            let caller = try await a.server.connect()
            try await caller.send(Request.post(Request.call("up__hold"), session: session))
            try await b.server.upstream.waitForHeld()
            // Its own work keeps the server up while the modern request comes.
            let busy = try await a.server.session()
            let own = try await a.server.connect()
            try await own.send(Request.post(Request.call("up__hold"), session: busy))
            try await a.server.upstream.waitForHeld()
            let modern = try await a.server.connect()
            await a.server.drain()
            try await b.server.wait(until: "the others know") { b.instance.peers.first?.isDraining == true }
            #expect(try await modern.response(to: Request.modernCall("up__echo")).status == 200)
            #expect(b.server.upstream.seen.value.messages.contains { $0.method == "tools/call" && $0.text.contains("echo") })
            a.server.upstream.release()
            #expect(try await own.response().status == 200)
            b.server.upstream.release()
            #expect(try await caller.response().body.contains("released"))
            _ = try await a.server.hasReturned.wait(for: "the end of the server") { $0 ? true : nil }
        }
    }

    @Test("an instance without the store asks the others, and serves on by itself when none has it")
    func degrades() async throws {
        try await pair { homes, a, b in
            let session = try await a.server.session()
            a.instance.cutOff(true)
            b.instance.cutOff(true)
            // Nobody reaches the store: the home goes on with what it has, also through the other.
            #expect(try await a.server.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(try await b.server.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(homes.home(of: session) == "a")
            b.instance.cutOff(false)
            a.instance.die()
            // The other does, and takes the session over.
            #expect(try await a.server.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(homes.home(of: session) == "b")
            #expect(a.server.gateway.sessionsInMemory == 0)
        }
    }

    @Test("a request that only claims to come from an instance is refused")
    func forged() async throws {
        try await pair { _, a, _ in
            let session = try await a.server.session()
            for field in ["b;1800000000000;1;00", "nonsense", "b;1;1;1800000000000;1;;" + String(repeating: "0", count: 64)] {
                let answer = try await a.server.response(
                    to: Request.post(
                        Request.ping(), session: session, fields: [("mcp-gateway-forward", field), ("origin", "http://evil.example")]))
                #expect(answer.status == 421)
                // Where nothing is passed on it lets nobody in.
                for (method, path) in [("GET", "/health"), ("OPTIONS", "/mcp")] {
                    let other = Request.make(
                        method, path: path, fields: [("mcp-gateway-forward", field), ("origin", "http://evil.example")])
                    #expect(try await a.server.response(to: other).status == 403)
                }
            }
        }
    }

    @Test("what an instance has signed is served once, with the body that it has signed")
    func signed() async throws {
        try await pair { _, a, b in
            let session = try await a.server.session()
            let body = Request.ping()
            func sign(_ text: String) throws -> String {
                let forwarding = try #require(b.server.gateway.forwarding)
                return forwarding.sign(
                    .withStore, for: a.instance.identity, method: "POST", target: "/mcp\n\(session)\n\n",
                    body: ByteBuffer(string: text),
                    now: b.server.gateway.clock.now())
            }
            func status(_ field: String) async throws -> Int {
                try await a.server.response(to: Request.post(body, session: session, fields: [("mcp-gateway-forward", field)])).status
            }
            let field = try sign(body)
            #expect(try await status(field) == 200)
            #expect(try await status(field) == 421)
            #expect(try await status(try sign(body + " ")) == 421)
            #expect(try await status(try sign(body)) == 200)
        }
    }

    @Test(
        "a modern client that was asked for input goes on with its request at any instance, while the one that works on it can be reached")
    func parked() async throws {
        try await pair { _, a, b in
            func ask() async throws -> String { try await Self.ask(a) }
            let answer = try await b.server.response(to: Request.modernCall("own__ask", id: "2", more: try await ask()))
            #expect(answer.status == 200)
            #expect(answer.body.contains("m-1"))
            // Cut off from the store, it is not heard of any more; but it works.
            let cutOff = try await ask()
            a.instance.movesAway()
            let lost = try await ask()
            a.instance.die()
            let served = try await b.server.response(to: Request.modernCall("own__ask", id: "4", more: cutOff))
            #expect(served.status == 200)
            #expect(served.body.contains("m-1"))
            let refused = try await b.server.response(to: Request.modernCall("own__ask", id: "3", more: lost))
            #expect(refused.errorCode == -32602)
            #expect(refused.body.contains("is gone"))
        }
    }

    @Test("the owner of a parked exchange that lives and cannot be reached is looked for, and not said to be gone")
    func parkedUnreachable() async throws {
        try await pair({ $0.forwardTimeout = .milliseconds(300) }) { _, a, b in
            let asked = try await Self.ask(a)
            a.instance.movesAway()
            let answer = try await b.server.response(to: Request.modernCall("own__ask", id: "2", more: asked))
            #expect(answer.status == 421)
            #expect(answer.body.contains("cannot be reached"))
            a.instance.listens(on: a.server.port)
            #expect(try await b.server.response(to: Request.modernCall("own__ask", id: "3", more: asked)).body.contains("m-1"))
        }
    }

    /// What a modern client brings with its retry that was asked for input by an instance.
    private static func ask(_ node: Node) async throws -> String {
        let asked = try await node.server.response(to: Request.modernCall("own__ask", id: "1"))
        let key = try #require(asked.body.firstMatch(of: #/"inputRequests":\{"([^"]+)"/#)).1
        let state = try #require(asked.body.firstMatch(of: #/"requestState":"([^"]+)"/#)).1
        return
            #","inputResponses":{"\#(key)":{"role":"assistant","content":{"type":"text","text":"x"},"model":"m-1"}},"requestState":"\#(state)""#
    }

    @Test("an instance that drains waits a moment for clients that it asked for input, wherever they bring it")
    func parkedWhileDraining() async throws {
        // However busy the machine.
        try await pair({ $0.drainTimeout = .seconds(60) }, core: { $0.inputGrace = .seconds(60) }) { _, a, b in
            let (first, second) = (try await Self.ask(a), try await Self.ask(a))
            let direct = try await a.server.connect()
            await a.server.drain()
            let passedOn = try await b.server.response(to: Request.modernCall("own__ask", id: "2", more: first)).body
            #expect(passedOn.contains("m-1"))
            let served = try await direct.response(to: Request.modernCall("own__ask", id: "3", more: second)).body
            #expect(served.contains("m-1"))
        }
    }

    @Test("a session of the REST API works at every instance, its ticket too, once")
    func rest() async throws {
        try await pair { homes, a, b in
            let json = [("content-type", "application/json")]
            let created = try await a.server.response(
                to: Request.make("POST", path: "/api/session/create", fields: json, body: #"{"clientId":"c"}"#))
            let session = String(try #require(created.body.firstMatch(of: #/"sessionId":"([^"]+)"/#)).1)
            #expect(homes.home(of: session) == "a")
            let own = json + [("x-session-id", session)]
            let call = try await b.server.response(
                to: Request.make("POST", path: "/api/mcp/call", fields: own, body: #"{"name":"up__echo","arguments":{"n":1}}"#))
            #expect(call.status == 200)
            #expect(try await b.server.response(to: Request.make("GET", path: "/api/mcp/tools", fields: own)).body.contains("up__echo"))
            let made = try await b.server.response(to: Request.make("POST", path: "/api/session/ticket", fields: own))
            let ticket = try #require(made.body.firstMatch(of: #/"ticket":"([^"]+)"/#)).1
            let client = try await b.server.connect()
            try await client.send(Request.make("GET", path: "/sse/events?ticket=\(ticket)", fields: [("accept", "text/event-stream")]))
            #expect(try await client.head().status == 200)
            let again = try await a.server.response(to: Request.make("GET", path: "/sse/events?ticket=\(ticket)"))
            #expect(again.status == 401)
            #expect(try await b.server.response(to: Request.make("DELETE", path: "/api/session", fields: own)).status == 204)
            #expect(try await a.server.response(to: Request.make("GET", path: "/api/mcp/tools", fields: own)).status == 401)
        }
    }

    @Test("messages of a client of HTTP+SSE find its stream at another instance")
    func httpSSE() async throws {
        try await pair { _, a, b in
            let stream = try await a.server.connect()
            try await stream.send(Request.make("GET", path: "/sse", fields: [("accept", "text/event-stream")]))
            #expect(try await stream.head().status == 200)
            let endpoint = try #require(try await stream.event().data)
            #expect(endpoint.hasSuffix("&instance=a"))
            let initialize =
                #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#
            let json = [("content-type", "application/json")]
            #expect(try await b.server.response(to: Request.make("POST", path: endpoint, fields: json, body: initialize)).status == 202)
            #expect(try await stream.message().data?.contains("protocolVersion") == true)
            #expect(try await b.server.response(to: Request.make("POST", path: endpoint, fields: json, body: Request.ping())).status == 202)
            #expect(try await stream.message().data?.contains(#""result""#) == true)
            let elsewhere = endpoint.replacing("instance=a", with: "instance=nobody")
            #expect(
                try await b.server.response(to: Request.make("POST", path: elsewhere, fields: json, body: Request.ping())).status == 404)
        }
    }
    @Test(
        "a message of HTTP+SSE whose instance went while it had it is said to be lost; one that may be sent twice, or never came, finds no stream"
    )
    func httpSSEDies() async throws {
        try await pair { _, a, b in
            let stream = try await a.server.connect()
            try await stream.send(Request.make("GET", path: "/sse", fields: [("accept", "text/event-stream")]))
            #expect(try await stream.head().status == 200)
            let endpoint = try #require(try await stream.event().data)
            // It takes requests in and goes.
            let going = ScriptedServer { _, _, reply in reply.cut() }
            a.instance.listens(on: try await going.start(on: MultiThreadedEventLoopGroup.singleton))
            func post(_ body: String) async throws -> (status: Int, body: String) {
                let request = Request.make("POST", path: endpoint, fields: [("content-type", "application/json")], body: body)
                let answer = try await b.server.response(to: request)
                return (answer.status, answer.body)
            }
            var lost = (status: 0, body: "")
            // On a busy machine the connection may take longer than an instance waits for it.
            try await b.server.wait(until: "it gets there") {
                lost = try await post(Request.call("up__hold", id: "7"))
                return !going.requests.isEmpty
            }
            #expect(lost.status == 502)
            #expect(lost.body.contains("outcome of this request is unknown"))
            #expect(going.requests.count == 1, "it is not sent twice")
            #expect(try await post(Request.ping()).status == 404)
            a.instance.movesAway()
            #expect(try await post(Request.call("up__hold", id: "8")).status == 404)
            try await going.stop()
        }
    }
}
