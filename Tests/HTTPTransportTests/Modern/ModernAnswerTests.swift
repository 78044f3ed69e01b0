import GatewayCore
import HTTPTransport
import NIOCore
import Testing

@Suite("Answers to modern requests")
struct ModernAnswerTests {
    @Test("a result that comes alone is JSON")
    func json() async throws {
        try await TestServer.run { server in
            let response = try await server.response(to: Request.modernCall("up__echo", arguments: #"{"n":1e400}"#, id: #""ü""#))
            #expect(response.status == 200)
            #expect(response.head["content-type"] == "application/json")
            #expect(response.body.hasPrefix(#"{"jsonrpc":"2.0","id":"ü","result":{"resultType":"complete""#))
            #expect(response.body.contains(#""structuredContent":{"n":1e400}"#))
        }
    }

    @Test("what comes before the result makes it a stream, whose events have no ids")
    func stream() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__progress", arguments: #"{"count":3}"#, wantsProgress: true))
            let head = try await client.head()
            #expect(head.status == 200)
            #expect(head["content-type"] == "text/event-stream")
            #expect(head["x-accel-buffering"] == "no")
            #expect(head["cache-control"]?.contains("no-cache") == true)
            var events: [ServerSentEvent] = []
            while case .event(let event) = try await client.next() { events.append(event) }
            #expect(events.count == 4)
            #expect(events.allSatisfy { $0.id == nil && $0.retry == nil && $0.isMessage })
            #expect(events.dropLast().allSatisfy { $0.data?.contains(#""progressToken":"p""#) == true })
            #expect(events.last?.data?.contains("done") == true)
            // The connection goes on.
            #expect(try await client.response(to: Request.modernCall("up__echo")).status == 200)
        }
    }

    @Test("a result that takes long comes on a stream that begins with a comment and carries more of them")
    func keepAlive() async throws {
        try await TestServer.run({
            $0.firstEventWait = .milliseconds(20)
            $0.keepAlive = .milliseconds(40)
        }) { server in
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__hold"))
            _ = try await client.head()
            for _ in 0..<3 {
                let event = try await client.event()
                #expect(event.comment != nil && event.data == nil && event.id == nil)
            }
            server.upstream.release("at last")
            #expect(try await client.message().data?.contains("at last") == true)
            #expect(try await client.next() == .ended)
        }
    }

    @Test("what does not finish in the time to drain is answered with an error", arguments: [Int64(60_000), 20])
    func abandoned(milliseconds: Int64) async throws {
        try await TestServer.run({
            $0.firstEventWait = .milliseconds(milliseconds)
            $0.drainTimeout = .milliseconds(200)
        }) { server in
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__hold"))
            try await server.upstream.waitForHeld()
            if milliseconds < 1000 { _ = try await client.head() }
            let pending = Task { await server.drain() }
            // An error that comes late is an event.
            let body = milliseconds < 1000 ? try await client.message().data ?? "" : try await client.response().body
            #expect(body.contains(#""code":-32603"#) && body.contains("gateway.drainTimeout"))
            await pending.value
        }
    }

    @Test("without streams everything is JSON, and there is nothing to listen to")
    func withoutSSE() async throws {
        try await TestServer.run({
            $0.enableSSE = false
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            let fields: [(String, String?)] = [("accept", "application/json")]
            let call = Request.modernCall("up__progress", arguments: #"{"count":2}"#, wantsProgress: true, fields: fields)
            let response = try await server.response(to: call)
            #expect(response.head["content-type"] == "application/json")
            #expect(response.body.contains("done"))
            let listen = try await server.response(to: Request.modernListen())
            #expect(listen.status == 404)
            #expect(listen.errorCode == -32601)
        }
    }

    @Test("a client of HTTP/1.0 gets its stream until the connection ends")
    func oldHTTP() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let call = Request.modernCall("up__progress", arguments: #"{"count":1}"#, wantsProgress: true)
            try await client.send(call.replacing("HTTP/1.1", with: "HTTP/1.0", maxReplacements: 1))
            let response = try await client.response()
            #expect(response.head["transfer-encoding"] == nil)
            #expect(response.body.contains("progressToken") && response.body.contains("done"))
        }
    }

    @Test("requests that come together are answered in their order, whatever their era")
    func pipelined() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            let requests = [
                Request.modernCall("up__echo", id: "1"), Request.post(Request.ping(id: "2"), session: session),
                Request.modern("x/unknown", id: "3"),
                Request.modernCall("up__progress", arguments: #"{"count":2}"#, id: "4", wantsProgress: true),
                Request.post(Request.call("up__echo", id: "5"), session: session), Request.modern("server/discover", id: "6"),
            ]
            try await client.send(requests.joined())
            for number in 1...6 {
                let response = try await client.response()
                #expect(response.status == (number == 3 ? 404 : 200))
                #expect(response.body.contains(#""id":\#(number),"#))
                #expect(response.head["content-type"] == (number == 4 ? "text/event-stream" : "application/json"))
            }
        }
    }

    @Test("a modern request says nothing of the sessions beside it, and they say nothing of it")
    func eras() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let begun = try await client.response(to: Request.initialize("2025-11-25"))
            let session = try #require(begun.head["mcp-session-id"])
            #expect(try await client.response(to: Request.modernCall("up__echo")).body.contains(#""resultType":"complete""#))
            let legacy = try await client.response(to: Request.post(Request.call("up__echo"), session: session))
            #expect(legacy.status == 200 && !legacy.body.contains("resultType"))
            // A session's client that names its revision, and one that names no session.
            let named = Request.post(Request.ping(), session: session, fields: [("mcp-protocol-version", "2025-11-25")])
            #expect(try await client.response(to: named).body == #"{"jsonrpc":"2.0","id":1,"result":{}}"#)
            #expect(try await client.response(to: Request.post(Request.ping())).errorCode == -32600)
            // Fields of the modern era are nothing to the legacy one.
            let mixed = Request.post(
                Request.ping(), session: session, fields: [("mcp-method", "x"), ("mcp-method", "y"), ("mcp-param-a", "z")])
            #expect(try await client.response(to: mixed).status == 200)
            let initialize = Request.initialize("2026-07-28").replacing("\r\nhost", with: "\r\nmcp-protocol-version: 2026-07-28\r\nhost")
            let again = try await client.response(to: initialize)
            #expect(again.head["mcp-session-id"] != nil)
            #expect(again.body.contains(#""protocolVersion":"2025-11-25""#))
        }
    }
}

@Suite("Modern clients that leave")
struct ModernDisconnectTests {
    @Test("a closed connection cancels the call, before there is any answer and while it streams", arguments: [Int64(60_000), 20])
    func disconnect(milliseconds: Int64) async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(milliseconds) }) { server in
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__hold"))
            try await server.upstream.waitForHeld()
            if milliseconds < 1000 { _ = try await client.head() }
            await client.close()
            let told = try await server.upstream.waitFor(method: "notifications/cancelled")
            let held = try #require(server.upstream.seen.value.held.first)
            #expect(told.contains(#""requestId":\#(String(buffer: held.id))"#))
            try await server.wait(until: "nothing is open") { server.gateway.openExchangeCount == 0 }
            // Too late for anybody.
            server.upstream.release("too late")
            #expect(try await server.response(to: Request.modernCall("up__echo")).status == 200)
        }
    }

    @Test("the end of what a client sends is the same to a server", arguments: [Int64(60_000), 20])
    func halfClose(milliseconds: Int64) async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(milliseconds) }) { server in
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__hold"))
            try await server.upstream.waitForHeld()
            if milliseconds < 1000 { _ = try await client.head() }
            try await client.halfClose()
            _ = try await server.upstream.waitFor(method: "notifications/cancelled")
            try await client.waitForClose()
        }
    }

    @Test("a client that leaves with its request does no harm")
    func atOnce() async throws {
        try await TestServer.run { server in
            for request in [
                Request.modernCall("up__echo"), Request.modernListen(), Request.modernCall("up__hold"), Request.modern("server/discover"),
            ] {
                let client = try await server.connect()
                try await client.send(request)
                await client.close()
            }
            try await server.wait(until: "nothing is open") {
                server.gateway.openExchangeCount == 0 && server.gateway.sessionsInMemory == 0
            }
        }
    }

    @Test("each request gives its place back once, however it ends")
    func places() async throws {
        try await TestServer.run({
            $0.maxConcurrentRequests = 1
            $0.firstEventWait = .milliseconds(20)
        }) { server in
            func isFull() async throws -> Bool { try await server.response(to: Request.modern("server/discover")).status == 503 }
            let listener = try await server.connect()
            try await listener.send(Request.modernListen())
            _ = try await listener.head()
            _ = try await listener.message()
            // Who listens takes no place.
            #expect(try await !isFull())
            for leaves in [true, false, true] {
                let client = try await server.connect()
                try await client.send(Request.modernCall("up__hold"))
                _ = try await client.head()
                #expect(try await isFull())
                if leaves {
                    await client.close()
                } else {
                    try await server.upstream.waitForHeld(2)
                    server.upstream.seen.update { $0.held.removeFirst() }
                    server.upstream.release()
                    _ = try await client.messages()
                }
                try await server.wait(until: "the place is free") { try await !isFull() }
            }
            await listener.close()
            try await server.wait(until: "the listener is gone") { server.gateway.openExchangeCount == 0 }
            let client = try await server.connect()
            try await client.send(Request.modernCall("up__hold"))
            _ = try await client.head()
            #expect(try await isFull())
        }
    }

    @Test("a reader that takes nothing is cut off beyond the bound, and its call is cancelled")
    func slowReader() async throws {
        try await TestServer.run({ $0.slowReaderBuffer = 256 << 10 }) { server in
            let slow = try await server.connect(reads: false)
            try await slow.send(Request.modernCall("up__hold", wantsProgress: true))
            try await server.upstream.waitForHeld()
            let padding = String(repeating: "x", count: 60_000)
            for _ in 0..<400 { server.upstream.reportProgress(padding) }
            _ = try await server.upstream.waitFor(method: "notifications/cancelled")
            try await slow.startReading()
            _ = try await slow.head()
            var next = try await slow.next()
            while case .event = next { next = try await slow.next() }
            #expect(next == .broken)
        }
    }

    @Test("an answer is written however much waits for its reader")
    func largeAnswer() async throws {
        try await TestServer.run({ $0.slowReaderBuffer = 1 << 10 }) { server in
            let slow = try await server.connect(reads: false)
            try await slow.send(Request.modernCall("up__hold", wantsProgress: true))
            try await server.upstream.waitForHeld()
            // What neither socket holds.
            server.upstream.reportProgress(String(repeating: "x", count: 5 << 20))
            let length = 100_000
            server.upstream.release(String(repeating: "y", count: length))
            try await server.wait(until: "the call is over") { server.gateway.openExchangeCount == 0 }
            try await slow.channel.setOption(.socketOption(.so_rcvbuf), value: 8 << 20).get()
            try await slow.startReading()
            try await slow.received.wait(until: "the end of the stream") { $0.bytes.suffix(5) == Array("0\r\n\r\n".utf8)[...] }
            #expect(slow.received.value.bytes.reversed().dropFirst(1000).prefix(1000).allSatisfy { $0 == UInt8(ascii: "y") })
        }
    }
}
