import GatewayCore

/// Reads one entry of `mcpServers`.
struct ServerReader {
    var context: ValueContext

    private static let hints = [
        "serverUrl": "unknown key; write \"url\"",
        "httpUrl": "unknown key; write \"url\"",
        "alwaysAllow": "this key belongs to a client; remove it",
        "autoApprove": "this key belongs to a client; remove it",
        "envFile": "unknown key; put the variables into \"env\", for example as \"${NAME}\"",
        "enabled": "unknown key; write \"disabled\"",
        "workingDirectory": "unknown key; write \"cwd\"",
        "environment": "unknown key; write \"env\"",
    ]
    private static let stdioOnly = ["command", "args", "env", "cwd"]
    private static let httpOnly = ["url", "headers"]

    /// `nil` if the entry has problems, which are then in `problems`.
    func read(_ member: DocumentNode.Member, problems: inout ProblemCollector) -> ServerConfiguration? {
        let root = "mcpServers.\(member.key)"
        let before = problems.problems.count
        if let problem = ServerName.problem(with: member.key) { problems.add(problem, key: root, line: member.line) }
        var context = context
        if case .bool(true, _)? = member.value["disabled"]?.value { context.unsetVariables = .areKept }
        let section = SectionReader(keys: ServerKeys.all, root: root, context: context, mayQuote: false, hints: Self.hints)
        let values = section.read(member.value, problems: &problems)
        guard member.value.members != nil else { return nil }
        let isIncomplete = problems.problems.count > before
        let transport = transport(values, root: root, member: member, isIncomplete: isIncomplete, problems: &problems)
        guard problems.problems.count == before, let transport else { return nil }
        return server(name: member.key, transport: transport, values)
    }

    private func server(name: String, transport: ServerTransport, _ values: [String: SectionReader.Entry]) -> ServerConfiguration {
        var server = ServerConfiguration(name: name, transport: transport)
        if case .text(let text)? = values["isolation"]?.value, let isolation = Isolation(rawValue: text) {
            server.isolation = isolation
        }
        if case .text(let text)? = values["era"]?.value, let era = EraPolicy(rawValue: text) { server.era = era }
        if case .duration(let timeout)? = values["probeTimeout"]?.value { server.probeTimeout = timeout }
        if case .duration(let timeout)? = values["timeout"]?.value { server.timeout = timeout }
        if case .duration(let timeout)? = values["handshakeTimeout"]?.value { server.handshakeTimeout = timeout }
        if case .duration(let timeout)? = values["idleTimeout"]?.value { server.idleTimeout = timeout }
        if case .list(let patterns)? = values["tools.allow"]?.value { server.tools.allow = patterns }
        if case .list(let patterns)? = values["tools.deny"]?.value { server.tools.deny = patterns }
        if case .flag(let required)? = values["required"]?.value { server.required = required }
        if case .flag(let disabled)? = values["disabled"]?.value { server.disabled = disabled }
        return server
    }

    private func transport(
        _ values: [String: SectionReader.Entry], root: String, member: DocumentNode.Member, isIncomplete: Bool,
        problems: inout ProblemCollector
    ) -> ServerTransport? {
        // What the entry names counts, even if its value is wrong: that has been reported already.
        let named = Set((member.value.members ?? []).filter { $0.value.value != .null }.map(\.key))
        let type = values["type"] ?? values["transport"]
        if let first = values["type"], let second = values["transport"], first.value != second.value {
            problems.add("\"type\" and \"transport\" disagree; keep one of them", key: "\(root).transport", line: second.line)
            return nil
        }
        let isHTTP: Bool
        if case .text(let text)? = type?.value {
            isHTTP = text == "http"
        } else if named.contains("command") == named.contains("url") {
            if isIncomplete, !named.contains("command") { return nil }
            let message =
                named.contains("url")
                ? "has both \"command\" and \"url\"; keep \"command\" for a program on this machine or \"url\" for a remote server"
                : "needs \"command\" (a program on this machine) or \"url\" (a remote server)"
            problems.add(message, key: root, line: member.line)
            return nil
        } else {
            isHTTP = named.contains("url")
        }
        for other in isHTTP ? Self.stdioOnly : Self.httpOnly where named.contains(other) {
            let line = member.value.members?.first { $0.key == other }?.line
            problems.add("is of no use for a server of type \(isHTTP ? "http" : "stdio"); remove it", key: "\(root).\(other)", line: line)
        }
        let needed = isHTTP ? "url" : "command"
        guard case .text(let target)? = values[needed]?.value else {
            if !named.contains(needed) {
                problems.add("a server of type \(isHTTP ? "http" : "stdio") needs \"\(needed)\"", key: root, line: member.line)
            }
            return nil
        }
        return isHTTP ? .http(.init(url: target, headers: map(values["headers"]))) : .stdio(stdio(target, values))
    }

    private func stdio(_ command: String, _ values: [String: SectionReader.Entry]) -> ServerTransport.StdioServer {
        var process = ServerTransport.StdioServer(command: command, env: map(values["env"]))
        if case .list(let args)? = values["args"]?.value { process.args = args }
        if case .text(let cwd)? = values["cwd"]?.value { process.cwd = cwd }
        return process
    }

    private func map(_ entry: SectionReader.Entry?) -> [String: String] {
        if case .map(let map)? = entry?.value { map } else { [:] }
    }
}
