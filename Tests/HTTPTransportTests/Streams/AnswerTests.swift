import HTTPTransport
import NIOCore
import Testing

@Suite("JSON or a stream (decision 3)")
struct AnswerTests {
    @Test("an immediate result is JSON, and an error too")
    func immediate() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let result = try await server.response(
                to: Request.post(Request.call("up__echo", id: #""x""#, arguments: #"{"a":1.0}"#), session: session))
            #expect(result.head["content-type"] == "application/json")
            #expect(result.body == #"{"jsonrpc":"2.0","id":"x","result":{"content":[],"structuredContent":{"a":1.0}}}"#)
            let error = try await server.response(to: Request.post(Request.call("nobody__tool"), session: session))
            #expect(error.status == 200)
            #expect(error.head["content-type"] == "application/json")
            #expect(error.body.contains(#""code":-32602"#))
        }
    }

    @Test("a notification first makes a stream that ends with the result")
    func notificationFirst() async throws {
        try await TestServer.run({ $0.firstEventWait = .seconds(60) }) { server in
            let session = try await server.session()
            let client = try await server.connect()
            try await client.send(
                Request.post(Request.call("up__progress", id: "5", arguments: #"{"count":3}"#, wantsProgress: true), session: session))
            let head = try await client.head()
            #expect(head.status == 200)
            #expect(head["content-type"] == "text/event-stream")
            #expect(head["cache-control"] == "no-cache, no-transform")
            #expect(head["x-accel-buffering"] == "no")
            let messages = try await client.messages()
            #expect(messages.map(\.sequence) == [1, 2, 3, 4])
            for (number, message) in messages.prefix(3).enumerated() {
                #expect(message.data?.contains(#""progressToken":"p5","progress":\#(number + 1)"#) == true)
            }
            #expect(messages.last?.data?.contains(#""id":5,"result""#) == true)
            // The connection is as good as before.
            #expect(try await client.response(to: Request.post(Request.ping(), session: session)).status == 200)
        }
    }

    @Test("silence longer than the wait makes a stream")
    func silence() async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(20) }) { server in
            let session = try await server.session()
            let client = try await server.connect()
            try await client.send(Request.post(Request.call("up__hold"), session: session))
            #expect(try await client.head()["content-type"] == "text/event-stream")
            // The wait may be over before the server has the call.
            try await server.upstream.waitForHeld()
            server.upstream.release("late")
            let messages = try await client.messages()
            #expect(messages.count == 1)
            #expect(messages.first?.data?.contains("late") == true)
        }
    }

    @Test("a stream begins as its revision says", arguments: [("2025-03-26", false), ("2025-06-18", false), ("2025-11-25", true)])
    func begin(revision: String, isPrimed: Bool) async throws {
        try await TestServer.run({ $0.retry = .milliseconds(1234) }) { server in
            let session = try await server.session(revision: revision)
            let client = try await server.connect()
            let body = Request.call("up__progress", arguments: #"{"count":1}"#, wantsProgress: true)
            try await client.send(Request.post(body, session: session))
            _ = try await client.head()
            let posted = try await client.event()
            let (_, listened) = try await server.listen(session: session)
            for first in [posted, listened] {
                #expect(first.retry == 1234)
                #expect((first.id != nil) == isPrimed)
                #expect(first.data == (isPrimed ? "" : nil))
                if isPrimed { #expect(first.sequence == 0) }
            }
        }
    }

    @Test("without SSE the answer is JSON, however late, and progress is dropped")
    func withoutSSE() async throws {
        try await TestServer.run({
            $0.enableSSE = false
            $0.firstEventWait = .milliseconds(5)
        }) { server in
            let session = try await server.session()
            let body = Request.call("up__progress", arguments: #"{"count":3}"#, wantsProgress: true)
            let response = try await server.response(to: Request.post(body, session: session, fields: [("accept", "application/json")]))
            #expect(response.head["content-type"] == "application/json")
            #expect(response.body.contains("done"))
            #expect(try await server.response(to: Request.listen(session: session)).status == 405)
        }
    }

    @Test("a server that may ask its client does so on the stream of the call, and gets the answer")
    func inputRequired() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let client = try await server.connect()
            try await client.send(Request.post(Request.call("own__ask"), session: session))
            #expect(try await client.head()["content-type"] == "text/event-stream")
            #expect(try await client.event().isMessage == false)
            let asked = try #require(try await client.event().data)
            #expect(asked.contains(#""method":"sampling/createMessage""#))
            let id = try #require(asked.firstMatch(of: /"id":("[^"]*")/)?.1)
            let answer = #"{"jsonrpc":"2.0","id":\#(id),"result":{"role":"assistant","content":{"type":"text","text":"t"},"model":"m-1"}}"#
            #expect(try await server.response(to: Request.post(answer, session: session)).status == 202)
            #expect(try await client.messages().last?.data?.contains("m-1") == true)
        }
    }

    // MARK: Batches

    @Test("a batch of 2025-03-26 is answered with an array, in whatever order")
    func batch() async throws {
        try await TestServer.run { server in
            let session = try await server.session(revision: "2025-03-26")
            let body =
                "[\(Request.ping(id: "1")),\(Request.call("up__echo", id: "2")),{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}]"
            let response = try await server.response(to: Request.post(body, session: session))
            #expect(response.status == 200)
            #expect(response.body.hasPrefix("[{") && response.body.hasSuffix("}]"))
            #expect(response.body.contains(#""id":1,"result""#) && response.body.contains(#""id":2,"result""#))
        }
    }

    @Test("a batch becomes one stream when one of its requests takes long, and ends with the last answer")
    func batchStream() async throws {
        try await TestServer.run({ $0.firstEventWait = .milliseconds(20) }) { server in
            let session = try await server.session(revision: "2025-03-26")
            let client = try await server.connect()
            try await client.send(Request.post("[\(Request.call("up__hold", id: "1")),\(Request.ping(id: "2"))]", session: session))
            _ = try await client.head()
            #expect(try await client.event().retry != nil)
            #expect(try await client.event().data?.contains(#""id":2"#) == true)
            server.upstream.release()
            #expect(try await client.messages().map { $0.data?.contains(#""id":1"#) } == [true])
        }
    }

    @Test(
        "a batch without requests is 202; an empty one, one with initialize and one with no message are refused",
        arguments: [
            (#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#, 202), ("[]", 400), ("[1]", 400),
            (#"[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]"#, 400),
        ])
    func oddBatches(body: String, status: Int) async throws {
        try await TestServer.run { server in
            let session = try await server.session(revision: "2025-03-26")
            #expect(try await server.response(to: Request.post(body, session: session)).status == status)
        }
    }

    @Test("later revisions have no batches", arguments: ["2025-06-18", "2025-11-25"])
    func noBatch(revision: String) async throws {
        try await TestServer.run { server in
            let session = try await server.session(revision: revision)
            for fields in [[], [("mcp-protocol-version", "2025-03-26")]] as [[(String, String)]] {
                let response = try await server.response(to: Request.post("[\(Request.ping())]", session: session, fields: fields))
                #expect(response.status == 400)
                #expect(response.body.contains("-32600"))
            }
        }
    }
}
