import GatewayCore

@testable import HTTPTransport

/// A client of HTTP+SSE: one connection for the stream, one for each POST.
struct SSEClient: Sendable {
    let server: TestServer
    let stream: RawClient
    /// What the stream named.
    let endpoint: String

    struct Failed: Error { let what: String }

    static func connect(_ server: TestServer, path: String = "/sse", reads: Bool = true) async throws -> SSEClient {
        let stream = try await server.connect(reads: reads)
        try await stream.send(Request.make("GET", path: path, fields: [("accept", "text/event-stream")]))
        if !reads { return SSEClient(server: server, stream: stream, endpoint: "") }
        let head = try await stream.head()
        guard head.status == 200 else { throw Failed(what: "\(head.status)") }
        let first = try await stream.event()
        guard first.name == "endpoint", let endpoint = first.data else { throw Failed(what: "\(first)") }
        return SSEClient(server: server, stream: stream, endpoint: endpoint)
    }

    /// One that has said hello.
    static func start(_ server: TestServer, path: String = "/sse", revision: String = "2024-11-05") async throws -> SSEClient {
        let client = try await connect(server, path: path)
        let answer = try await client.request(initialize(revision))
        guard answer.contains(#""protocolVersion":"\#(revision)""#) else { throw Failed(what: answer) }
        guard try await client.post(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).status == 202 else {
            throw Failed(what: "initialized")
        }
        return client
    }

    static func initialize(_ revision: String) -> String {
        """
        {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"\(revision)","capabilities":{"sampling":{}},\
        "clientInfo":{"name":"test","version":"1"}}}
        """
    }

    var id: SessionID? { SessionID(endpoint.split(separator: "=").last ?? "") }

    func post(_ body: String) async throws -> Response {
        try await server.response(to: Request.make("POST", path: endpoint, fields: [("content-type", "application/json")], body: body))
    }

    func next() async throws -> String { try await stream.message().data ?? "" }

    /// POSTs a request and takes the next message of the stream that is no change of a list: a server may be ready only then.
    func request(_ body: String) async throws -> String {
        let response = try await post(body)
        guard response.status == 202 else { throw Failed(what: "\(response.status) \(response.body)") }
        while true {
            let message = try await next()
            if !message.contains("/list_changed") { return message }
        }
    }
}
