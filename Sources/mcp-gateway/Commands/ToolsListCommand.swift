import ArgumentParser
import Foundation
import MCPProtocol
import NIOCore

/// `mcp-gateway tools list`.
struct ToolsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the tools, with their arguments; a * marks the required ones.")

    @OptionGroup var options: ToolsCommand.Options

    @Option(name: .long, help: "How many seconds the server may take.")
    var timeout = 60

    func validate() throws {
        guard (1...86_400).contains(timeout) else {
            throw ValidationError("--timeout must be between 1 and 86400 seconds; it is \(timeout).")
        }
    }

    func run() async throws {
        try await ToolsCommand.withClient(options, timeout: timeout) { client in
            let catalogue = try await ToolsCatalogue.load(client, timeout: .seconds(Int64(timeout)))
            if options.json {
                var buffer = ByteBuffer(string: "{\"tools\":[")
                for (index, tool) in catalogue.tools.enumerated() {
                    if index > 0 { buffer.writeString(",") }
                    if let raw = tool.raw { buffer.writeImmutableBuffer(raw) }
                }
                buffer.writeString("]}")
                print(String(buffer: buffer))
            } else {
                Self.printTable(catalogue, ToolsStyle.standardOutput)
            }
        }
    }

    private static func printTable(_ catalogue: ToolsCatalogue, _ style: ToolsStyle) {
        guard !catalogue.tools.isEmpty else { return print("The server offers no tools.") }
        let nameWidth = min(catalogue.tools.map { $0.name.count }.max() ?? 0, 40)
        for tool in catalogue.tools {
            let name = ToolsStyle.clean(tool.name)
            let padding = String(repeating: " ", count: max(nameWidth - name.count, 0) + 2)
            print(style.bold(name) + padding + ToolsStyle.oneLine(tool.description, width: style.width - max(nameWidth, name.count) - 2))
            let properties = tool.schema.properties
            let argumentWidth = properties.map { $0.name.count + $0.typeName.count + 3 }.max() ?? 0
            for property in properties {
                let argument = ToolsStyle.clean(property.name) + (property.isRequired ? "*" : "")
                let type = ToolsStyle.clean(property.typeName)
                let padding = String(repeating: " ", count: max(min(argumentWidth, 40) - argument.count - type.count - 1, 0) + 2)
                let description = ToolsStyle.oneLine(property.description, width: max(style.width - min(argumentWidth, 40) - 7, 20))
                let line = "    " + style.cyan(argument) + " " + style.dim(type) + (description.isEmpty ? "" : padding + description)
                print(line)
            }
        }
    }
}
