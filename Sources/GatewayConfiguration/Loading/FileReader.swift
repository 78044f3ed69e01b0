/// Reads a parsed configuration file.
struct FileReader {
    /// What a file says: checked values, and every problem.
    struct Contents {
        /// Values of `gateway` keys by path, with their line.
        var gateway: [String: SectionReader.Entry] = [:]
        var servers: [ServerConfiguration] = []
        var problems: [ConfigurationProblem] = []
    }

    private static let topLevel = ["$schema", "mcpServers", "gateway"]

    var path: String
    var context: ValueContext

    func read(_ root: DocumentNode) -> Contents {
        var contents = Contents()
        var problems = ProblemCollector(path: path)
        if let members = root.members {
            var seen: Set<String> = []
            for member in members where !member.key.hasPrefix("x-") {
                guard seen.insert(member.key).inserted else {
                    problems.add("this key is there twice; keep one of them", key: member.key, line: member.line)
                    continue
                }
                read(member, into: &contents, problems: &problems)
            }
        } else {
            problems.add(
                "the file must hold an object with \"mcpServers\" and \"gateway\", not \(root.typeName)", key: nil, line: root.line)
        }
        contents.problems = problems.problems
        return contents
    }

    private func read(_ member: DocumentNode.Member, into contents: inout Contents, problems: inout ProblemCollector) {
        switch member.key {
        case "$schema": return
        case "gateway":
            if case .null = member.value.value { return }
            let section = SectionReader(keys: ConfigurationKeys.gateway, root: "gateway", context: context, mayQuote: true)
            contents.gateway = section.read(member.value, problems: &problems)
        case "mcpServers":
            if case .null = member.value.value { return }
            contents.servers = servers(member.value, problems: &problems)
        case "servers":
            problems.add(
                "unknown key; write \"mcpServers\", or convert a file of VS Code with mcp-gateway import", key: "servers", line: member.line
            )
        default:
            let guess = NearestName.find(member.key, in: Self.topLevel)
            let isGatewayKey = ConfigurationKeys.gateway.contains { $0.path == member.key || $0.path.hasPrefix(member.key + ".") }
            let hint =
                if let guess { "did you mean \"\(guess)\"?" } else if isGatewayKey { "did you mean \"gateway.\(member.key)\"?" } else {
                    "known are mcpServers and gateway"
                }
            problems.add("unknown key; \(hint)", key: member.key, line: member.line)
        }
    }

    private func servers(_ node: DocumentNode, problems: inout ProblemCollector) -> [ServerConfiguration] {
        guard let members = node.members else {
            problems.add("must be an object of servers by name, not \(node.typeName)", key: "mcpServers", line: node.line)
            return []
        }
        var seen: Set<String> = []
        var servers: [ServerConfiguration] = []
        for member in members {
            guard seen.insert(member.key).inserted else {
                problems.add("there are two servers of this name; rename one", key: "mcpServers.\(member.key)", line: member.line)
                continue
            }
            if let server = ServerReader(context: context).read(member, problems: &problems) { servers.append(server) }
        }
        return servers
    }
}
