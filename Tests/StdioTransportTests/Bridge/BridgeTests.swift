import AsyncHTTPClient
import Foundation
import Logging
import MCPHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import ScriptedHTTPServer
import Testing

@testable import StdioTransport

@Suite("Bridge over pipes", .timeLimit(.minutes(1)))
struct BridgeTests {
    /// The client's ends of the pipes.
    private final class Client: Sendable {
        let input: FileHandle
        let bridgeInput: CInt
        let bridgeOutput: CInt
        let lines: AsyncStream<String>

        init() throws {
            let input = Pipe()
            let output = Pipe()
            self.input = input.fileHandleForWriting
            bridgeInput = dup(input.fileHandleForReading.fileDescriptor)
            bridgeOutput = dup(output.fileHandleForWriting.fileDescriptor)
            try output.fileHandleForWriting.close()
            let reading = dup(output.fileHandleForReading.fileDescriptor)
            let (lines, continuation) = AsyncStream.makeStream(of: String.self)
            self.lines = lines
            Thread.detachNewThread {
                guard let file = fdopen(reading, "r") else { return continuation.finish() }
                var line: UnsafeMutablePointer<CChar>?
                var capacity = 0
                while getline(&line, &capacity, file) > 0, let text = line {
                    continuation.yield(String(cString: text).trimmingCharacters(in: .newlines))
                }
                free(line)
                fclose(file)
                continuation.finish()
            }
        }

        func write(_ line: String) throws { try input.write(contentsOf: Data((line + "\n").utf8)) }
        func closeInput() throws { try input.close() }

        /// The bridge has its own copies; the output ends when it is done.
        func closeBridgeEnds() {
            close(bridgeInput)
            close(bridgeOutput)
        }

        func next() async throws -> String {
            var iterator = lines.makeAsyncIterator()
            return try #require(await iterator.next())
        }
    }

    private func withBridge(
        _ port: Int, configure: (inout BridgeConfiguration) -> Void = { _ in }, body: (Client, Bridge) async throws -> Void
    ) async throws {
        var configuration = BridgeConfiguration(client: StreamableHTTPClientConfiguration(url: "http://127.0.0.1:\(port)/mcp"))
        configuration.initialRetryDelay = .milliseconds(20)
        configuration.client.initialReconnectDelay = .milliseconds(10)
        configure(&configuration)
        let group = MultiThreadedEventLoopGroup.singleton
        let httpClient = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration.client.httpClientConfiguration)
        let bridge = Bridge(configuration: configuration, httpClient: httpClient, eventLoop: group.next(), logger: Logger(label: "test"))
        let client = try Client()
        async let running: Void = bridge.run(input: client.bridgeInput, output: client.bridgeOutput)
        let outcome: Result<Void, any Error>
        do {
            try await body(client, bridge)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
            bridge.stop()
        }
        try await running
        client.closeBridgeEnds()
        try await httpClient.shutdown()
        try outcome.get()
    }

    private static func answer(_ request: ScriptedServer.Request, _ reply: ScriptedServer.Reply, session: String) {
        switch request.method {
        case .GET: reply.empty(.methodNotAllowed)
        case .DELETE: reply.empty(.ok)
        default:
            if request.body.contains("\"initialize\"") {
                let id = request.body.contains("mcp-gateway-connect") ? "\"mcp-gateway-connect/\(Self.number(request.body))\"" : "0"
                reply.json(
                    #"{"jsonrpc":"2.0","id":\#(id),"result":{"protocolVersion":"2025-11-25"}}"#, headers: [("Mcp-Session-Id", session)])
            } else if request.body.contains("notifications/") {
                reply.empty(.accepted)
            } else {
                reply.json("{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{\"session\":\"\(request.headers["Mcp-Session-Id"].joined())\"}}")
            }
        }
    }

    private static func number(_ body: String) -> String {
        String((body.components(separatedBy: "mcp-gateway-connect/").last ?? "").prefix { $0.isNumber })
    }

    private static let initialize = #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#
    private static let initialized = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#

    @Test("a session that the gateway lost is begun again without the client noticing; the end of the input ends the session")
    func lostSession() async throws {
        let server = ScriptedServer { request, _, reply in
            let isLost = request.headers["Mcp-Session-Id"] == ["old"] && request.body.contains("tools/call")
            if isLost { return reply.json("{}", status: .notFound) }
            let isReplay = request.body.contains("mcp-gateway-connect")
            Self.answer(request, reply, session: isReplay ? "new" : "old")
        }
        let port = try await server.start(on: MultiThreadedEventLoopGroup.singleton)
        try await withBridge(port) { client, _ in
            try client.write(Self.initialize)
            #expect(try await client.next() == #"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#)
            try client.write(Self.initialized)
            try client.write(#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)
            let answer = try await client.next()
            #expect(answer == #"{"jsonrpc":"2.0", "id":1,"result":{"session":"new"}}"#)
            try client.closeInput()
        }
        let last = server.requests.last
        #expect(last?.method == .DELETE)
        #expect(last?.headers["Mcp-Session-Id"] == ["new"])
        try await server.stop()
    }

    @Test("a client that starts before the gateway waits for it")
    func lateGateway() async throws {
        let probe = ScriptedServer { _, _, reply in reply.cut() }
        let port = try await probe.start(on: MultiThreadedEventLoopGroup.singleton)
        try await probe.stop()
        let server = ScriptedServer { request, _, reply in Self.answer(request, reply, session: "s") }
        try await withBridge(port) { client, _ in
            try client.write(Self.initialize)
            try await server.start(on: MultiThreadedEventLoopGroup.singleton, port: port)
            #expect(try await client.next().contains("protocolVersion"))
            try client.closeInput()
        }
        try await server.stop()
    }

    @Test("a gateway that stays away is reported to the client with what to do")
    func noGateway() async throws {
        try await withBridge(1) {
            $0.waitLimit = .milliseconds(100)
        } body: { client, bridge in
            try client.write(Self.initialize)
            let line = try await client.next()
            #expect(line.contains("mcp-gateway serve") && line.contains(#""id":0"#))
            bridge.stop()
        }
    }

    @Test("the end of the input waits for answers that are outstanding")
    func drains() async throws {
        let parked = NIOLockedValueBox<ScriptedServer.Reply?>(nil)
        let server = ScriptedServer { request, _, reply in
            guard request.body.contains("tools/call") else { return Self.answer(request, reply, session: "s") }
            parked.withLockedValue { $0 = reply }
            reply.events("id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n")
        }
        let port = try await server.start(on: MultiThreadedEventLoopGroup.singleton)
        try await withBridge(port) { client, _ in
            try client.write(Self.initialize)
            _ = try await client.next()
            try client.write(#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)
            #expect(try await client.next().contains("progress"))
            try client.closeInput()
            let reply = try #require(parked.withLockedValue { $0 })
            reply.write("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
            reply.end()
            #expect(try await client.next() == #"{"jsonrpc":"2.0","id":1,"result":{}}"#)
        }
        #expect(server.requests.contains { $0.method == .DELETE })
        try await server.stop()
    }

    @Test("input and output may be files")
    func files() async throws {
        let server = ScriptedServer { request, _, reply in Self.answer(request, reply, session: "s") }
        let port = try await server.start(on: MultiThreadedEventLoopGroup.singleton)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("bridge-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let inputURL = directory.appendingPathComponent("in")
        let outputURL = directory.appendingPathComponent("out")
        try Data((Self.initialize + "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}").utf8).write(to: inputURL)
        try Data().write(to: outputURL)
        let input = try FileHandle(forReadingFrom: inputURL)
        let output = try FileHandle(forWritingTo: outputURL)
        let group = MultiThreadedEventLoopGroup.singleton
        let configuration = BridgeConfiguration(client: StreamableHTTPClientConfiguration(url: "http://127.0.0.1:\(port)/mcp"))
        let httpClient = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration.client.httpClientConfiguration)
        let bridge = Bridge(configuration: configuration, httpClient: httpClient, eventLoop: group.next(), logger: Logger(label: "test"))
        try await bridge.run(input: input.fileDescriptor, output: output.fileDescriptor)
        try await httpClient.shutdown()
        let lines = String(decoding: try Data(contentsOf: outputURL), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        try FileManager.default.removeItem(at: directory)
        try await server.stop()
    }
}
