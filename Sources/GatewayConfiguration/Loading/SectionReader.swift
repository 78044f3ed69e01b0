/// Reads an object of the file by a table of keys: finds unknown keys, duplicates and wrong values.
struct SectionReader {
    /// A value and where it stood.
    struct Entry: Equatable {
        var value: ConfigurationValue
        var line: Int
    }

    /// The table.
    var keys: [ConfigurationKey]
    /// How paths begin in messages: `gateway`, `mcpServers.git`.
    var root: String
    var context: ValueContext
    /// Whether messages may quote values.
    var mayQuote: Bool
    /// Replaces the guess for keys that are known from elsewhere.
    var hints: [String: String] = [:]

    /// The valid values by path; everything else becomes a problem.
    func read(_ node: DocumentNode, problems: inout ProblemCollector) -> [String: Entry] {
        var values: [String: Entry] = [:]
        read(node, prefix: "", into: &values, problems: &problems)
        return values
    }

    private func read(_ node: DocumentNode, prefix: String, into values: inout [String: Entry], problems: inout ProblemCollector) {
        guard let members = node.members else {
            let name = prefix.isEmpty ? root : "\(root).\(prefix.dropLast())"
            problems.add("must be an object, not \(node.typeName)", key: name, line: node.line)
            return
        }
        var seen: Set<String> = []
        for member in members {
            let path = prefix + member.key
            let name = "\(root).\(path)"
            guard seen.insert(member.key).inserted else {
                problems.add("this key is there twice; keep one of them", key: name, line: member.line)
                continue
            }
            if member.key.contains(".") {
                problems.add(unknown(path, key: member.key, prefix: prefix), key: name, line: member.line)
            } else if let key = keys.first(where: { $0.path == path }) {
                readValue(member, key, name, into: &values, problems: &problems)
            } else if keys.contains(where: { $0.path.hasPrefix(path + ".") }) {
                read(member.value, prefix: path + ".", into: &values, problems: &problems)
            } else {
                problems.add(unknown(path, key: member.key, prefix: prefix), key: name, line: member.line)
            }
        }
    }

    private func readValue(
        _ member: DocumentNode.Member, _ key: ConfigurationKey, _ name: String, into values: inout [String: Entry],
        problems: inout ProblemCollector
    ) {
        // `null` is how some programs write "not set".
        if case .null = member.value.value { return }
        do throws(ValueReader.Failure) {
            let reader = ValueReader(kind: key.kind, context: context, mayQuote: mayQuote)
            values[key.path] = Entry(value: try reader.value(from: member.value), line: member.line)
        } catch {
            problems.add(error.message, key: name, line: error.line ?? member.line)
        }
    }

    private func unknown(_ path: String, key: String, prefix: String) -> String {
        if let hint = hints[path] { return hint }
        let siblings = keys.compactMap { candidate -> String? in
            guard candidate.path.hasPrefix(prefix) else { return nil }
            return candidate.path.dropFirst(prefix.count).split(separator: ".").first.map(String.init)
        }
        if let nearest = NearestName.find(key, in: siblings) { return "unknown key; did you mean \"\(nearest)\"?" }
        if let elsewhere = keys.first(where: { $0.leaf == key || $0.path == key }) {
            return "unknown key here; did you mean \"\(root).\(elsewhere.path)\"?"
        }
        var names: [String] = []
        for sibling in siblings where !names.contains(sibling) { names.append(sibling) }
        return "unknown key; known are \(names.joined(separator: ", "))"
    }
}
