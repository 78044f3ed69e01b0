import ArgumentParser
import Foundation
import GatewayConfiguration

/// `mcp-gateway import FILE`: takes over the servers of a client's configuration.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Take over the servers of a client's configuration file.",
        discussion: """
            Reads claude_desktop_config.json, .mcp.json, Cursor's mcp.json and VS Code's mcp.json, and merges their servers into the gateway's \
            configuration. Other servers and settings stay. The client's file is not changed: replace its servers by the gateway afterwards.
            """)

    @Argument(help: "The client's configuration file.", completion: .file(extensions: ["json", "jsonc"]))
    var file: String

    @Option(
        name: .shortAndLong, help: "The gateway's configuration file (JSON), created if it does not exist.",
        completion: .file(extensions: ["json"]))
    var output = "mcp-gateway.json"

    @Flag(help: "Replace servers of the same name.")
    var force = false

    @Flag(help: "Say what would happen, and write nothing.")
    var dryRun = false

    @Flag(name: .customLong("print"), help: "Write the result to standard output instead of a file.")
    var printsResult = false

    func validate() throws {
        let lowercased = output.lowercased()
        if !printsResult, lowercased.hasSuffix(".yaml") || lowercased.hasSuffix(".yml") {
            throw ValidationError(
                "import would lose the comments of a YAML file; name a JSON file with --output, or use --print and paste the result (JSON is YAML too)"
            )
        }
    }

    /// A new `mcp-gateway.json` would hide a YAML file beside it, because it is found first.
    private func refuseToHideYAML() throws(ImportError) {
        guard !printsResult, !output.contains("/"), ConfigurationLoader.defaultFileNames.first == output,
            !FileManager.default.fileExists(atPath: output),
            let hidden = ConfigurationLoader.defaultFileNames.dropFirst().first(where: { FileManager.default.fileExists(atPath: $0) })
        else { return }
        throw ImportError(
            """
            \(hidden) is the gateway's configuration here, and a new \(output) would hide it. Use --print and paste the result into it (JSON is \
            YAML too), or name another file with --output
            """)
    }

    func run() async throws {
        let result: ImportResult
        do {
            try refuseToHideYAML()
            let existing = output.lowercased().hasSuffix("ml") ? nil : try ImportTarget.read(output)
            result = try ClientConfigurationImporter(replacesExisting: force)
                .merge(try ImportTarget.readSource(file), path: file, into: existing, targetPath: output)
            if printsResult {
                print(result.text, terminator: "")
            } else if !dryRun, !(result.added + result.replaced).isEmpty {
                try ImportTarget.write(result.text, to: output)
            }
        } catch {
            report(["error: \(error)"])
            throw ExitCode.failure
        }
        report(summary(of: result))
    }

    private func summary(of result: ImportResult) -> [String] {
        var lines = result.notes.map(\.description)
        let verb = dryRun || printsResult ? "would be" : "was"
        for (names, word) in [(result.added, "added"), (result.replaced, "replaced")] where !names.isEmpty {
            lines += names.map { "\($0) \(verb) \(word)" }
        }
        lines += result.unchanged.map { "\($0) is there already" }
        if (result.added + result.replaced).isEmpty {
            lines.append("nothing to do")
        } else if !dryRun, !printsResult {
            lines.append("\(output) written; check it with: mcp-gateway doctor --config \(output)")
        }
        return lines
    }

    /// To standard error: standard output belongs to `--print`.
    private func report(_ lines: [String]) {
        FileHandle.standardError.write(Data(lines.map { $0 + "\n" }.joined().utf8))
    }
}
