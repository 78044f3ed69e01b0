import Foundation
import Testing

@testable import GatewayConfiguration

/// `docs/configuration.md` and the examples agree with the tables of keys.
@Suite struct DocumentationTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func documentation() throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent("docs/configuration.md"), encoding: .utf8)
    }

    static func row(gateway key: ConfigurationKey) -> String {
        let variables = key.environmentVariables.map { "`\($0)`" }.joined(separator: ", ")
        return "| `\(key.path)` | \(variables) | \(cell(key.defaultText)) | \(key.kind.unitText) | \(key.kind.rangeText) | \(key.summary) |"
    }

    static func row(server key: ConfigurationKey) -> String {
        "| `\(key.path)` | \(cell(key.defaultText)) | \(key.kind.unitText) | \(key.kind.rangeText) | \(key.summary) |"
    }

    private static func cell(_ text: String) -> String {
        text.contains("`") || text.contains(" ") ? text : "`\(text)`"
    }

    @Test("every key is documented with its variables, default, unit and range")
    func complete() throws {
        let lines = Set(try documentation().split(separator: "\n").map(String.init))
        for row in ConfigurationKeys.gateway.map(Self.row(gateway:)) + ServerKeys.all.map(Self.row(server:)) {
            #expect(lines.contains(row), "docs/configuration.md lacks this row:\n\(row)")
        }
    }

    @Test("nothing is documented that does not exist")
    func nothingElse() throws {
        let known = Set(ConfigurationKeys.gateway.map(Self.row(gateway:)) + ServerKeys.all.map(Self.row(server:)))
        let rows = try documentation().split(separator: "\n").map(String.init).filter { $0.hasPrefix("| `") }
        let variableRows = rows.filter {
            $0.hasPrefix("| `MCP_GATEWAY_CONFIG`") || $0.hasPrefix("| `REDIS_") || $0.hasPrefix("| `DATABASE_")
        }
        for row in rows where !variableRows.contains(row) {
            #expect(known.contains(row), "docs/configuration.md has a row that no key stands behind:\n\(row)")
        }
        #expect(rows.count - variableRows.count == known.count)
    }

    @Test("every key of docs/limits.md exists and has the default that stands there")
    func limits() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("docs/limits.md"), encoding: .utf8)
        let keys = ConfigurationKeys.gateway.map { ("`\($0.path)`", Self.cell($0.defaultText)) }
        let serverKeys = ServerKeys.all.map { ("`mcpServers.<name>.\($0.path)`", Self.cell($0.defaultText)) }
        let known = Dictionary(keys + serverKeys) { first, _ in first }
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
            row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }.filter { $0.count == 4 }
        #expect(rows.count > 30)
        for row in rows { #expect(known[row[0]] == row[1], "docs/limits.md: \(row[0])") }
    }

    private func example(_ name: String) throws -> GatewayConfiguration {
        let path = Self.root.appendingPathComponent("examples/\(name)").path
        return try ConfigurationLoader(
            configPath: path, environment: ["HOME": "/home/me", "DOCS_TOKEN": "secret"], currentDirectory: Self.root.path
        ).load()
    }

    @Test("the JSON and the YAML example are valid and say the same")
    func examples() throws {
        let json = try example("mcp-gateway.json")
        let yaml = try example("mcp-gateway.yaml")
        #expect(json.gateway == yaml.gateway)
        #expect(json.servers == yaml.servers)
        #expect(json.servers.map(\.name) == ["time", "git", "docs", "scratch"])
        #expect(json.warnings.isEmpty)
    }

    @Test("the full example sets every gateway key")
    func fullExample() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("examples/mcp-gateway.json"), encoding: .utf8)
        let gateway = try #require(try JSONDocumentParser.parse(text, allowsComments: false)["gateway"])
        for key in ConfigurationKeys.gateway {
            let node = key.path.split(separator: ".").reduce(DocumentNode?.some(gateway)) { $0?[String($1)] }
            #expect(node != nil, "examples/mcp-gateway.json lacks gateway.\(key.path)")
        }
    }

    @Test("the small example is valid")
    func minimal() throws {
        #expect(try example("minimal.json").servers.count == 1)
    }
}
