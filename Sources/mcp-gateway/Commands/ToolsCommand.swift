import ArgumentParser
import Foundation
import MCPHTTPClient
import NIOCore

/// `mcp-gateway tools`: tries any MCP server over Streamable HTTP from a terminal.
struct ToolsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools",
        abstract: "List and call the tools of a running gateway.",
        subcommands: [ToolsListCommand.self, ToolsCallCommand.self],
        defaultSubcommand: ToolsListCommand.self)

    /// Options of both subcommands.
    struct Options: ParsableArguments {
        @Option(name: .long, help: "The MCP endpoint.")
        var url = "http://127.0.0.1:3001/mcp"

        @Option(name: .long, help: ArgumentHelp("A header for every request, 'Name: value'. Repeatable.", valueName: "header"))
        var header: [String] = []

        @Flag(name: .long, help: "Print the result as the server sent it.")
        var json = false

        func validate() throws {
            guard StreamableHTTPClientConfiguration(url: url).isURLValid else {
                throw ValidationError("--url must be an http:// or https:// URL, for example http://127.0.0.1:3001/mcp.")
            }
            _ = try ConnectHeaders.parse(header)
        }
    }

    /// Connects, runs `body` and prints what goes wrong. Ends the session in every case.
    static func withClient(
        _ options: Options, timeout: Int, body: (ToolsClient) async throws -> Void
    ) async throws {
        let client = ToolsClient(url: options.url, headers: try ConnectHeaders.parse(options.header))
        do {
            try await client.connect(timeout: .seconds(Int64(timeout)))
            try await body(client)
            await client.close()
        } catch let error as ToolsError {
            await client.close()
            printError("\(error)")
            throw ExitCode.failure
        } catch {
            await client.close()
            throw error
        }
    }

    static func printError(_ text: String) {
        FileHandle.standardError.write(Data((ToolsStyle.standardError.red("error:") + " \(text)\n").utf8))
    }
}
