import Foundation

/// Turns one entry of a client's file into one of ours.
struct EntryConverter {
    /// Ports on which this gateway may listen, to recognise itself.
    var gatewayPorts: Set<Int>

    enum Outcome: Equatable {
        case converted(DocumentNode)
        case skipped
    }

    private static let renamed = ["serverUrl": "url", "httpUrl": "url", "transport": "type"]
    private static let copied: Set<String> = ["type", "command", "args", "env", "cwd", "url", "headers", "disabled"]
    private static let dropped: [String: String] = [
        "timeout": "its unit differs between clients; set \"timeout\" in the gateway's file if the default does not do",
        "envFile": "put its variables into \"env\" or into the gateway's environment",
        "oauth": "the gateway does not sign in to servers; put a token into \"headers\"",
        "auth": "the gateway does not sign in to servers; put a token into \"headers\"",
    ]

    func convert(_ member: DocumentNode.Member, notes: inout [ImportNote]) -> Outcome {
        let name = member.key
        func skip(_ message: String) -> Outcome {
            notes.append(ImportNote(.skipped, server: name, message: message))
            return .skipped
        }
        guard let members = member.value.members else { return skip("the entry is \(member.value.typeName), not an object") }
        if isThisGateway(member.value) { return skip("this is the gateway itself") }
        var variables = EditorVariables()
        var result: [DocumentNode.Member] = []
        for entry in members where entry.value.value != .null {
            let key = Self.renamed[entry.key] ?? entry.key
            if key == "enabled", case .bool(let enabled, _) = entry.value.value {
                if !enabled { result.append(.init(key: "disabled", line: 0, value: DocumentNode(value: .bool(true, text: "true")))) }
            } else if Self.copied.contains(key) {
                if !result.contains(where: { $0.key == key }) {
                    result.append(.init(key: key, line: entry.line, value: convert(entry.value, &variables)))
                }
            } else {
                let reason = Self.dropped[key] ?? "it belongs to the client"
                notes.append(ImportNote(.changed, server: name, message: "\"\(entry.key)\" was left out: \(reason)"))
            }
        }
        let type = result.first { $0.key == "type" }?.value.string
        if type == "sse" {
            return skip("type \"sse\" is the old HTTP+SSE transport, which is not supported yet; use the server's Streamable HTTP endpoint")
        }
        if let type, ["streamable-http", "streamableHttp", "streamable_http"].contains(type) {
            for index in result.indices where result[index].key == "type" { result[index].value.value = .string("http") }
        }
        notes += variables.messages.map { ImportNote(.changed, server: name, message: $0) }
        notes += secretHints(name, result)
        return .converted(DocumentNode(value: .object(result), line: member.line))
    }

    private func convert(_ node: DocumentNode, _ variables: inout EditorVariables) -> DocumentNode {
        var node = node
        switch node.value {
        case .string(let text): node.value = .string(variables.convert(text))
        case .array(let elements): node.value = .array(elements.map { convert($0, &variables) })
        case .object(let members):
            node.value = .object(members.map { .init(key: $0.key, line: $0.line, value: convert($0.value, &variables)) })
        default: break
        }
        return node
    }

    // MARK: Itself

    private func isThisGateway(_ entry: DocumentNode) -> Bool {
        let words = [entry["command"]?.string].compactMap { $0 } + (entry["args"]?.elements ?? []).compactMap(\.string)
        // Directly, or through a launcher such as `env` or `docker run`.
        if words.contains(where: { $0.split(separator: "/").last == "mcp-gateway" }) { return true }
        guard let text = (entry["url"] ?? entry["serverUrl"] ?? entry["httpUrl"])?.string, let url = URLComponents(string: text),
            let host = url.host, let port = url.port
        else { return false }
        let isPath = url.path == "/mcp" || (url.path.hasPrefix("/servers/") && url.path.hasSuffix("/mcp"))
        return isPath && GatewaySettings.isLoopback(host) && gatewayPorts.contains(port)
    }

    // MARK: Secrets

    /// Hints for values that look like secrets and stand in the file in plain text. Names only, never values.
    private func secretHints(_ server: String, _ members: [DocumentNode.Member]) -> [ImportNote] {
        var hints: [ImportNote] = []
        for section in ["env", "headers"] {
            for entry in members.first(where: { $0.key == section })?.value.members ?? [] {
                guard let value = entry.value.string, !value.isEmpty, !value.contains("${"), Self.looksSecret(entry.key) else { continue }
                let variable = EditorVariables.variableName(from: entry.key)
                hints.append(
                    ImportNote(
                        .hint, server: server,
                        message:
                            "\(section).\(entry.key) stands in the file in plain text; better write \"${\(variable)}\" and set that variable"
                    ))
            }
        }
        return hints
    }

    private static func looksSecret(_ name: String) -> Bool {
        let upper = name.uppercased()
        return ["KEY", "TOKEN", "SECRET", "PASSW", "AUTH", "CREDENTIAL", "COOKIE", "PAT"].contains { upper.contains($0) }
            && !["PATH", "PATTERN"].contains { upper.hasSuffix($0) }
    }
}
