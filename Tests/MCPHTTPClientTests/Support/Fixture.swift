import AsyncHTTPClient
import Logging
import MCPHTTPClient
import NIOCore
import NIOPosix
import ScriptedHTTPServer

/// A client connected to a scripted server.
struct Fixture: Sendable {
    let server: ScriptedServer
    let recorder: Recorder
    let client: StreamableHTTPClient

    func send(_ text: String, token: UInt64? = nil) { client.send(ByteBuffer(string: text), token: token) }

    /// Initializes; afterwards the recorder holds one event and the server one request.
    func initialize() async throws {
        send(#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#, token: 0)
        try await recorder.wait(for: 1)
        client.initialized(revision: "2025-11-25", openListeningStream: false)
    }

    static let initializeAnswer = #"{"jsonrpc":"2.0","id":0,"result":{}}"#
}

/// Runs `body` with a client and a server that answers by `script`; stops both afterwards.
func withClient(
    _ script: @escaping ScriptedServer.Script,
    configure: (inout StreamableHTTPClientConfiguration) -> Void = { _ in },
    url: (Int) -> String = { "http://127.0.0.1:\($0)/mcp" },
    body: (Fixture) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = ScriptedServer(script)
    let port = try await server.start(on: group)
    var configuration = StreamableHTTPClientConfiguration(url: url(port))
    configuration.initialReconnectDelay = .milliseconds(5)
    configuration.maxReconnectDelay = .milliseconds(20)
    configure(&configuration)
    let httpClient = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration.httpClientConfiguration)
    let recorder = Recorder()
    let client = StreamableHTTPClient(
        configuration: configuration, httpClient: httpClient, eventLoop: group.next(), logger: Logger(label: "test"), delegate: recorder)
    let outcome: Result<Void, any Error>
    do {
        try await body(Fixture(server: server, recorder: recorder, client: client))
        outcome = .success(())
    } catch {
        outcome = .failure(error)
    }
    try await client.close(terminateSession: false).get()
    try await httpClient.shutdown()
    try await server.stop()
    try outcome.get()
}
