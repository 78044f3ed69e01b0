import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Testing

@Suite("An ordinary HTTP client")
struct ClientTests {
    private func post(_ body: String, session: String?, to server: TestServer) async throws -> (HTTPClientResponse, String) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/mcp")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "accept", value: Request.acceptBoth)
        if let session { request.headers.add(name: "mcp-session-id", value: session) }
        request.body = .bytes(ByteBuffer(string: body))
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        return (response, String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    @Test("sessions that call at once over pooled connections each get their own answers, JSON and streams mixed")
    func concurrency() async throws {
        try await TestServer.run { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<10 {
                    let session = try await server.session()
                    for call in 0..<20 {
                        group.addTask {
                            // All sessions use the same ids and tokens.
                            let isStream = call % 4 == 0
                            let body =
                                isStream
                                ? Request.call("up__progress", id: "\(call)", arguments: #"{"count":5}"#, wantsProgress: true)
                                : Request.call("up__echo", id: "\(call)", arguments: #"{"from":"\#(number)-\#(call)"}"#)
                            let (response, text) = try await post(body, session: session, to: server)
                            #expect(response.status == .ok)
                            #expect(response.headers.first(name: "content-type") == (isStream ? "text/event-stream" : "application/json"))
                            #expect(text.contains("\"id\":\(call),\"result\""))
                            if isStream {
                                #expect(text.matches(of: /"progressToken":"p\d+"/).count == 5)
                                #expect(text.matches(of: /"progressToken":"p(\d+)"/).allSatisfy { $0.1 == "\(call)" })
                            } else {
                                #expect(text.contains("\"from\":\"\(number)-\(call)\""))
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a large body passes both ways")
    func large() async throws {
        try await TestServer.run { server in
            let session = try await server.session()
            let text = String(repeating: "0123456789abcdef", count: 40_000)
            let (response, body) = try await post(
                Request.call("up__echo", arguments: #"{"text":"\#(text)"}"#), session: session, to: server)
            #expect(response.status == .ok)
            #expect(body.utf8.count > text.utf8.count)
            #expect(body.hasSuffix("\(text.suffix(100))\"}}}"))
        }
    }
}
