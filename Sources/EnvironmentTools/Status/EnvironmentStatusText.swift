extension EnvironmentStatus {
    /// The same findings for people, and for clients that do not read `structuredContent`.
    var text: String {
        var lines = ["Development environment at \(timestamp) (\(host.operatingSystem), \(host.cpus) CPUs)"]
        lines += Self.lines("Git", git) { $0.lines }
        lines += Self.lines("Docker", docker) { $0.lines }
        lines += Self.lines("Database", database) { $0.lines }
        return lines.joined(separator: "\n")
    }

    private static func lines<Details>(
        _ title: String, _ report: PartReport<Details>, details: (Details) -> [String]
    ) -> [String] {
        let status = report.status.rawValue.split(separator: "_").joined(separator: " ")
        let head = "\(title): \(status)" + (report.reason.map { " (\($0))" } ?? "")
        return [head] + (report.details.map(details) ?? []).map { "  " + $0 }
    }
}

extension GitDetails {
    fileprivate var lines: [String] {
        var lines = ["repository \(repository), " + (branch.map { "branch \($0)" } ?? "detached HEAD")]
        if let upstream {
            let distance = ahead.flatMap { ahead in behind.map { ": \(ahead) ahead, \($0) behind" } } ?? ""
            lines.append("upstream \(upstream)\(distance)")
        }
        if let head {
            lines.append("head \(head.hash.prefix(12)) \(head.subject) (\(head.author), \(head.date))")
        } else {
            lines.append("no commit yet")
        }
        lines.append(
            clean
                ? "work tree clean"
                : "\(changes.staged) staged, \(changes.modified) modified, \(changes.untracked) untracked, \(changes.conflicted) conflicted"
        )
        return lines
    }
}

extension DockerDetails {
    fileprivate var lines: [String] {
        var lines = ["Engine \(version), API \(apiVersion), \(operatingSystem)/\(architecture)"]
        guard let containers else { return lines }
        let states = containers.byState.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        lines.append(containers.total == 0 ? "no containers" : "\(containers.total) containers: \(states)")
        lines += containers.listed.map { container in
            "- \(container.name) [\(container.image)] \(container.state)" + (container.health.map { ", \($0)" } ?? "")
        }
        if containers.total > containers.listed.count { lines.append("- and \(containers.total - containers.listed.count) more") }
        return lines
    }
}

extension DatabaseDetails {
    fileprivate var lines: [String] {
        ["PostgreSQL at \(host):\(port), \(tls ? "TLS offered" : "no TLS"), answers in \(latencyMilliseconds) ms"]
    }
}
