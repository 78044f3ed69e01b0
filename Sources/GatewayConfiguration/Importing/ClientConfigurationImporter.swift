/// Merges the servers of a client's configuration file into the gateway's. Pure: `ImportCommand` reads and writes the files.
///
/// Reads `claude_desktop_config.json`, `.mcp.json` and Cursor's `mcp.json` (`mcpServers`), VS Code's `mcp.json` (`servers`, `inputs`) and
/// `settings.json` (`mcp.servers`), with comments and trailing commas.
public struct ClientConfigurationImporter: Sendable {
    /// Whether servers of the same name are replaced.
    public var replacesExisting: Bool

    /// - Parameter replacesExisting: replace servers of the same name instead of refusing.
    public init(replacesExisting: Bool = false) {
        self.replacesExisting = replacesExisting
    }

    /// - Parameters:
    ///   - text: content of the client's file.
    ///   - path: its path, for messages.
    ///   - target: content of the gateway's JSON file; `nil` if it does not exist.
    ///   - targetPath: its path, for messages.
    /// - Throws: `ImportError` if a file cannot be read or a name is taken. Entries that cannot be used are notes, not errors.
    public func merge(_ text: String, path: String, into target: String?, targetPath: String) throws(ImportError) -> ImportResult {
        let source = try parse(text, path: path, format: .jsonWithComments)
        guard let entries = Self.servers(of: source) else {
            throw ImportError("\(path): there is no \"mcpServers\" (Claude, Cursor) and no \"servers\" (VS Code) object in this file")
        }
        var root = DocumentNode(value: .object([]))
        if let target, !target.allSatisfy(\.isWhitespace) { root = try parse(target, path: targetPath, format: .json) }
        guard let rootMembers = root.members else { throw ImportError("\(targetPath): the file must hold an object, not \(root.typeName)") }
        if let servers = root["mcpServers"], servers.members == nil, servers.value != .null {
            throw ImportError("\(targetPath): mcpServers must be an object, not \(servers.typeName)")
        }
        let existing = root["mcpServers"]?.members ?? []

        var result = ImportResult()
        let converted = convert(entries, ports: [GatewaySettings().port, Self.port(of: root)], notes: &result.notes)
        let merged = try merge(converted, into: existing, targetPath: targetPath, result: &result)
        let servers = DocumentNode.Member(key: "mcpServers", line: 0, value: DocumentNode(value: .object(merged)))
        var members = rootMembers
        if let index = members.firstIndex(where: { $0.key == "mcpServers" }) { members[index] = servers } else { members.append(servers) }
        result.text = DocumentWriter.json(DocumentNode(value: .object(members)))
        return result
    }

    private func parse(_ text: String, path: String, format: DocumentFormat) throws(ImportError) -> DocumentNode {
        do throws(DocumentError) {
            return try format.parse(text)
        } catch {
            throw ImportError("\(path)\(error.line.map { ":\($0)" } ?? ""): \(error.message)")
        }
    }

    private static func servers(of root: DocumentNode) -> [DocumentNode.Member]? {
        (root["mcpServers"] ?? root["servers"] ?? root["mcp"]?["servers"] ?? root["mcp.servers"])?.members
    }

    private static func port(of root: DocumentNode) -> Int {
        if case .number(let text)? = root["gateway"]?["port"]?.value, let port = Int(text) { return port }
        return GatewaySettings().port
    }

    /// The usable entries with the names they have in the imported file.
    private func convert(_ entries: [DocumentNode.Member], ports: Set<Int>, notes: inout [ImportNote]) -> [DocumentNode.Member] {
        let converter = EntryConverter(gatewayPorts: ports)
        var result: [DocumentNode.Member] = []
        for entry in entries {
            guard !result.contains(where: { $0.key == entry.key }) else {
                notes.append(ImportNote(.skipped, server: entry.key, message: "the name is there twice; the first one was taken"))
                continue
            }
            var entryNotes: [ImportNote] = []
            guard case .converted(let node) = converter.convert(entry, notes: &entryNotes) else {
                notes += entryNotes
                continue
            }
            let problems = self.problems(with: node)
            if problems.isEmpty {
                notes += entryNotes
                result.append(.init(key: entry.key, line: entry.line, value: node))
            } else {
                notes += problems.map { ImportNote(.skipped, server: entry.key, message: $0) }
            }
        }
        return result
    }

    /// What the gateway itself would say to the entry, unset variables apart.
    private func problems(with node: DocumentNode) -> [String] {
        let context = ValueContext(environment: [:], directory: "/", unsetVariables: .areKept)
        var problems = ProblemCollector(path: "")
        _ = ServerReader(context: context).read(.init(key: "imported", line: 0, value: node), problems: &problems)
        return problems.problems.map { problem in
            let key = problem.key?.split(separator: ".").dropFirst(2).joined(separator: ".") ?? ""
            return key.isEmpty ? problem.message : "\(key): \(problem.message)"
        }
    }

    private func merge(
        _ converted: [DocumentNode.Member], into existing: [DocumentNode.Member], targetPath: String, result: inout ImportResult
    ) throws(ImportError) -> [DocumentNode.Member] {
        var merged = existing
        var imported: Set<String> = []
        var clashes: [String] = []
        // Valid names keep their entries: they are not taken by the renamed ones.
        let validNames = Set(converted.map(\.key).filter { ServerName.problem(with: $0) == nil })
        for entry in converted {
            var name = entry.key
            if let problem = ServerName.problem(with: name) {
                name = ServerNameSlug.make(name, taken: imported.union(validNames))
                result.notes.append(ImportNote(.changed, server: entry.key, message: "renamed to \"\(name)\": \(problem)"))
            }
            imported.insert(name)
            let member = DocumentNode.Member(key: name, line: 0, value: entry.value)
            guard let index = merged.firstIndex(where: { $0.key == name }) else {
                merged.append(member)
                result.added.append(name)
                continue
            }
            if DocumentWriter.json(merged[index].value) == DocumentWriter.json(entry.value) {
                result.unchanged.append(name)
            } else if replacesExisting {
                merged[index] = member
                result.replaced.append(name)
            } else {
                clashes.append(name)
            }
        }
        guard clashes.isEmpty else {
            throw ImportError(
                """
                \(targetPath) has other servers of the same name: \(clashes.joined(separator: ", ")). Rename them in one of the files, or \
                replace them with --force. Nothing was written
                """)
        }
        return merged
    }
}
