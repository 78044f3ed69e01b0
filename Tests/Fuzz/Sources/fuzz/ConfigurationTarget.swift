import Foundation
import GatewayCore
import MCPProtocol
import NIOCore

@testable import GatewayConfiguration

/// `ConfigurationLoader`: any text as JSON, as JSON with comments and as YAML is a configuration or a list of problems with their lines.
enum ConfigurationTarget {
    private static let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fuzz-\(getpid())").path

    static func run(_ input: UnsafeRawBufferPointer) {
        let results = ["json", "jsonc", "yaml"].map { load(input, fileExtension: $0) }
        let configurations = results.map { try? $0.get() }
        if let json = configurations[0] {
            require(configurations[1].map { same($0, json) } == true, "JSON is JSON with comments")
            if let yaml = configurations[2] { require(same(yaml, json), "what is JSON and YAML means the same in both") }
        }
        if let text = String(validating: input, as: UTF8.self) { document(text) }
    }

    private static func same(_ one: GatewayConfiguration, _ other: GatewayConfiguration) -> Bool {
        one.gateway == other.gateway && one.servers == other.servers
    }

    private static func load(_ input: UnsafeRawBufferPointer, fileExtension: String) -> Result<GatewayConfiguration, ConfigurationError> {
        let path = "\(directory)/mcp-gateway.\(fileExtension)"
        write(input, to: path)
        let loader = ConfigurationLoader(configPath: path, environment: [:], currentDirectory: directory)
        do throws(ConfigurationError) {
            let configuration = try loader.load()
            require(configuration.source == path, "a configuration names its file")
            require(Set(configuration.servers.map(\.name)).count == configuration.servers.count, "servers have different names")
            return .success(configuration)
        } catch {
            check(
                error, path: path,
                lines: String(decoding: input, as: UTF8.self).unicodeScalars.count {
                    $0.properties.generalCategory == .control || $0.value >> 1 == 0x2028 >> 1
                } + 1)
            return .failure(error)
        }
    }

    private static func check(_ error: ConfigurationError, path: String, lines: Int) {
        require(!error.problems.isEmpty, "an error has problems")
        var last = 0
        for problem in error.problems {
            require(!problem.message.isEmpty, "a problem says what is wrong")
            guard case .file(path, let line) = problem.origin else { violated("a problem of a file names the file: \(problem)") }
            // The end of the text may be said to be the line after the last.
            if let line {
                require((1...lines + 1).contains(line), "a line is one of the file: \(problem)")
                require(line >= last, "problems are in the order of the lines")
                last = line
            } else {
                let concernsWholeFile = ["the file is empty", "the file is not UTF-8"].contains { problem.message.hasPrefix($0) }
                require(concernsWholeFile, "a problem has a line: \(problem)")
            }
            require(
                !problem.description.unicodeScalars.contains { $0.value < 0x20 },
                "a problem is one line: \(problem.description.debugDescription)")
        }
    }

    /// The parser of documents against that of messages, and against the writer.
    private static func document(_ text: String) {
        let node = try? DocumentFormat.json.parse(text)
        // A byte order mark is allowed in a file only.
        guard !text.hasPrefix("\u{FEFF}") else { return }
        let bytes = ByteBuffer(string: text)
        if let node {
            require((try? JSONText(validating: bytes)) != nil, "a JSON file is JSON")
            let written = DocumentWriter.json(node)
            guard let again = try? DocumentFormat.json.parse(written) else { violated("a written file is JSON: \(written)") }
            require(DocumentWriter.json(again) == written, "a written file is read as it was")
        } else if (try? JSONText(validating: bytes, maxDepth: JSONDocumentParser.maxDepth)) != nil {
            // Half a surrogate pair can be passed on, but is no text to configure anything with.
            require(text.contains("\\u"), "JSON is a JSON file")
        }
    }

    private static func write(_ input: UnsafeRawBufferPointer, to path: String) {
        var file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        if file < 0 {
            mkdir(directory, 0o700)
            file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        }
        guard file >= 0, Foundation.write(file, input.baseAddress, input.count) == input.count else {
            complain("cannot write \(path): \(String(cString: strerror(errno)))")
            exit(74)
        }
        close(file)
    }
}
