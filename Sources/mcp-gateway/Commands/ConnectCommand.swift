import ArgumentParser
import AsyncHTTPClient
import Dispatch
import Foundation
import Logging
import MCPHTTPClient
import NIOCore
import NIOPosix
import StdioTransport

/// `mcp-gateway connect URL`: the bridge for clients that know only stdio.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Connect a client that knows only stdio to a running gateway.",
        discussion: """
            Reads JSON-RPC messages as lines from standard input, sends them to the gateway and writes its messages as lines to standard \
            output. The client may speak any revision of the protocol. Waits for a gateway that is away, and begins a new session by itself \
            when its own is gone. Logs go to standard error. \
            A bearer token is taken from the environment variable MCP_GATEWAY_TOKEN.
            """)

    @Argument(help: "The gateway's MCP endpoint.")
    var url = "http://127.0.0.1:3001/mcp"

    @Option(name: .long, help: ArgumentHelp("A header for every request, 'Name: value'. Repeatable.", valueName: "header"))
    var header: [String] = []

    @Option(name: .long, help: "How many seconds a request waits for a gateway that is away before it is answered with an error.")
    var wait = 45

    @Flag(name: .shortAndLong, help: "Log more.")
    var verbose = false

    func validate() throws {
        guard wait > 0, wait <= 86_400 else { throw ValidationError("--wait must be between 1 and 86400 seconds; it is \(wait).") }
        guard StreamableHTTPClientConfiguration(url: url).isURLValid else {
            throw ValidationError(
                "'\(url.prefix(8))…' is no http:// or https:// URL. Give the gateway's endpoint, for example http://127.0.0.1:3001/mcp.")
        }
        _ = try ConnectHeaders.parse(header)
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        var logger = Logger(label: "mcp-gateway connect") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = verbose ? .debug : .notice

        var configuration = BridgeConfiguration(
            client: StreamableHTTPClientConfiguration(url: url, headers: try ConnectHeaders.parse(header)))
        configuration.waitLimit = .seconds(Int64(wait))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let httpClient = HTTPClient(
            eventLoopGroupProvider: .shared(group), configuration: configuration.client.httpClientConfiguration)
        let bridge = Bridge(configuration: configuration, httpClient: httpClient, eventLoop: group.next(), logger: logger)
        let signals = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { bridge.stop() }
            source.resume()
            return source
        }
        defer { signals.forEach { $0.cancel() } }
        do {
            try await bridge.run(input: STDIN_FILENO, output: STDOUT_FILENO)
        } catch {
            logger.error("standard input or output cannot be used", metadata: ["error": "\(error)"])
            throw ExitCode.failure
        }
        try await httpClient.shutdown()
        try await group.shutdownGracefully()
    }
}
