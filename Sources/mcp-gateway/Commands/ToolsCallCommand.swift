import ArgumentParser
import Foundation
import MCPProtocol
import NIOCore

/// `mcp-gateway tools call`.
struct ToolsCallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call a tool.",
        discussion: """
            Arguments are given as key=value, typed by the tool's schema, or as JSON with --arguments. Progress and log messages go to \
            standard error. Exit code 2: the tool reported an error; 1: it could not be called.
            """)

    @Argument(help: "The tool's name, as `mcp-gateway tools list` shows it.")
    var name: String

    @Argument(help: ArgumentHelp("The tool's arguments.", valueName: "key=value"))
    var pairs: [String] = []

    @Option(name: .long, help: ArgumentHelp("The arguments as a JSON object, or @file.", valueName: "json"))
    var arguments: String?

    @OptionGroup var options: ToolsCommand.Options

    @Option(name: .long, help: "How many seconds the tool may take.")
    var timeout = 60

    func validate() throws {
        guard (1...86_400).contains(timeout) else {
            throw ValidationError("--timeout must be between 1 and 86400 seconds; it is \(timeout).")
        }
    }

    func run() async throws {
        try await ToolsCommand.withClient(options, timeout: timeout) { client in
            let limit = TimeAmount.seconds(Int64(timeout))
            let catalogue = try await ToolsCatalogue.load(client, timeout: limit)
            guard let tool = catalogue.tools.first(where: { $0.name == name }) else {
                throw ToolsError.unknownTool(name, nearest: catalogue.nearest(to: name))
            }
            let values = try ToolsArguments(base: arguments, pairs: pairs, schema: tool.schema)
            var params = ByteBuffer(string: "{\"name\":")
            params.writeJSONString(name)
            params.writeString(",\"arguments\":")
            params.writeImmutableBuffer(values.object)
            params.writeString(",\"_meta\":{\"progressToken\":1}}")
            let answer = try await client.request("tools/call", params: params, timeout: limit) { ToolsOutput.printNotification($0) }
            if options.json {
                if let result = answer.json.slice(answer.result) { print(String(buffer: result)) }
            } else {
                ToolsOutput.printResult(answer)
            }
            if answer.json.isTrue(answer.json.member("isError", of: answer.result)) { throw ExitCode(2) }
        }
    }
}
