import HTTPTransport
import NIOCore
import Testing

@Suite("Requests on one connection")
struct PipeliningTests {
    @Test("pipelined requests for MCP and for other paths are answered in their order")
    func mixedOrder() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            var text = ""
            for number in 0..<30 {
                switch number % 3 {
                case 0: text += Request.post(Request.call("up__echo", id: "\(number)"), session: session)
                case 1: text += Request.make("GET", path: "/health")
                default: text += Request.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, session: session)
                }
            }
            try await client.send(text)
            for number in 0..<30 {
                let response = try await client.response()
                switch number % 3 {
                case 0: #expect(response.body.hasPrefix(#"{"jsonrpc":"2.0","id":\#(number),"#))
                case 1: #expect(response.body.contains(#""status":"ok""#))
                default: #expect(response.status == 202)
                }
            }
        }
    }

    @Test("a request behind one that takes long waits, and comes after it, a stream included")
    func behindAStream() async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(20) }) { server in
            let session = try await server.session()
            let client = try await server.connect()
            try await client.send(
                Request.post(Request.call("up__hold", id: "1"), session: session) + Request.post(Request.ping(id: "2"), session: session))
            try await server.upstream.waitForHeld()
            #expect(try await client.head()["content-type"] == "text/event-stream")
            server.upstream.release()
            #expect(try await client.messages().last?.data?.contains("released") == true)
            #expect(try await client.response().body.contains(#""id":2"#))
        }
    }

    @Test("a path that is nobody's is 404, and the connection goes on with MCP")
    func unknownPath() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            #expect(try await client.response(to: Request.make("GET", path: "/nothing")).status == 404)
            #expect(try await client.response(to: Request.post(Request.ping(), session: session)).status == 200)
            #expect(try await client.response(to: Request.make("GET", path: "/health")).status == 200)
        }
    }

    @Test("a body may come in pieces of any size", arguments: [true, false])
    func splitBytes(isChunked: Bool) async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let body = Request.call("up__echo", id: "7", arguments: #"{"text":"ä😀"}"#)
            var request: [UInt8]
            if isChunked {
                let fields = [("content-type", "application/json"), ("accept", Request.acceptBoth), ("transfer-encoding", "chunked")]
                request = Array(Request.make("POST", session: session, fields: fields).utf8)
                // Cut inside of the character of four bytes.
                let cut = (body.utf8.firstIndex(of: 0xF0).map { body.utf8.distance(from: body.utf8.startIndex, to: $0) } ?? 0) + 2
                for part in [Array(body.utf8)[..<cut], Array(body.utf8)[cut...]] {
                    request += Array("\(String(part.count, radix: 16))\r\n".utf8) + part + Array("\r\n".utf8)
                }
                request += Array("0\r\n\r\n".utf8)
            } else {
                request = Array(Request.post(body, session: session).utf8)
            }
            let client = try await server.connect()
            for byte in request { try await client.send(bytes: [byte]) }
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.body.contains(#""structuredContent":{"text":"ä😀"}"#))
        }
    }

    @Test("a chunk for every byte of the body is as good as one")
    func chunkPerByte() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let fields = [("content-type", "application/json"), ("accept", Request.acceptBoth), ("transfer-encoding", "chunked")]
            let chunks = Request.call("up__echo", id: "8").map { "1\r\n\($0)\r\n" }.joined()
            let response = try await server.response(to: Request.make("POST", session: session, fields: fields) + chunks + "0\r\n\r\n")
            #expect(response.body.contains(#""id":8,"result""#))
        }
    }

    @Test("a client that expects 100-continue gets it, then the answer")
    func expectContinue() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            let body = Request.ping()
            let fields = [
                ("content-type", "application/json"), ("accept", Request.acceptBoth), ("expect", "100-continue"),
                ("content-length", "\(body.utf8.count)"),
            ]
            try await client.send(Request.make("POST", session: session, fields: fields))
            #expect(try await client.head().status == 100)
            let response = try await client.response(to: body)
            #expect(response.status == 200)
            #expect(try await client.response(to: Request.post(body, session: session)).status == 200)
        }
    }

    @Test("a client that expects 100-continue for what is refused gets the refusal instead")
    func refusedContinue() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let response = try await client.response(
                to: Request.make("POST", fields: [("content-type", "text/plain"), ("expect", "100-continue"), ("content-length", "10")]))
            #expect(response.status == 415)
            #expect(response.head["connection"] == "close")
            try await client.waitForClose()
        }
    }

    @Test("Connection: close is honoured for JSON, streams and empty answers")
    func connectionClose() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            for body in [
                Request.ping(), #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                Request.call("up__progress", arguments: #"{"count":2}"#, wantsProgress: true),
            ] {
                let client = try await server.connect()
                let response = try await client.response(to: Request.post(body, session: session, fields: [("connection", "close")]))
                #expect(response.head["connection"] == "close")
                try await client.waitForClose()
            }
        }
    }

    @Test("HTTP/1.0 closes unless asked to stay")
    func http10() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            let request = Request.post(Request.ping(), session: session).replacing("HTTP/1.1", with: "HTTP/1.0")
            let response = try await client.response(to: request)
            #expect(response.status == 200)
            try await client.waitForClose()
        }
    }

    @Test("a stream for HTTP/1.0 is not chunked (RFC 9112, 6.1); its end is the connection's")
    func streamToHTTP10() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            let body = Request.call("up__progress", arguments: #"{"count":1}"#, wantsProgress: true)
            try await client.send(Request.post(body, session: session).replacing("HTTP/1.1", with: "HTTP/1.0"))
            let head = try await client.head()
            #expect(head["content-type"] == "text/event-stream")
            #expect(head["transfer-encoding"] == nil)
            try await client.waitForClose()
        }
    }

    @Test("a client that has closed its side after the request still gets the answer")
    func halfClosed() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            try await client.send(Request.post(Request.call("up__hold"), session: session))
            try await server.upstream.waitForHeld()
            try await client.halfClose()
            server.upstream.release()
            #expect(try await client.response().body.contains("released"))
        }
    }
}
