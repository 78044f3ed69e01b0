/// Turns what a source says for a key into a checked value.
struct ValueReader {
    /// Why a value is not acceptable. Contains the value only if the caller says that it is no secret.
    struct Failure: Error {
        var message: String
        var line: Int?
    }

    var kind: ValueKind
    var context: ValueContext
    /// Whether messages may quote the value.
    let mayQuote: Bool

    /// - Parameter mayQuote: whether messages may quote the value, if it is of a kind that is no secret.
    init(kind: ValueKind, context: ValueContext, mayQuote: Bool) {
        self.kind = kind
        self.context = context
        self.mayQuote = mayQuote && !kind.isSecret
    }

    // MARK: Text sources

    /// Reads a flag, a variable, or a string of the file after expansion. Lists are separated by commas.
    func value(fromText text: String) throws(Failure) -> ConfigurationValue {
        switch kind {
        case .text(let rule):
            return .text(try checked(text, rule))
        case .list(let rule):
            let items = text.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
            var result: [String] = []
            for item in items { result.append(try checked(item, rule)) }
            return .list(result)
        case .integer(let range):
            guard let number = Int(text.trimmed) else { throw failure("must be a whole number", text) }
            return try inRange(number, range, text)
        case .size(let range):
            guard let bytes = ByteSizeText.parse(text) else { throw failure("must be a number of bytes or a size such as \"16MiB\"", text) }
            return try inRange(bytes, range, text)
        case .duration(let range):
            guard let duration = DurationText.parse(text) else {
                throw failure("must be a number of seconds or a duration such as \"200ms\", \"30s\", \"10m\" or \"24h\"", text)
            }
            return try inRange(duration, range, text)
        case .flag:
            switch text.trimmed.lowercased() {
            case "true", "yes", "on", "1": return .flag(true)
            case "false", "no", "off", "0": return .flag(false)
            default: throw failure("must be true or false", text)
            }
        case .choice(let choice):
            return .text(try chosen(text.trimmed, choice))
        case .map:
            throw failure("cannot be set by a flag or variable", text)
        }
    }

    // MARK: Nodes of a file

    /// Reads a value of the file.
    func value(from node: DocumentNode) throws(Failure) -> ConfigurationValue {
        switch (kind, node.value) {
        case (.list(let rule), .array(let elements)):
            var result: [String] = []
            for element in elements { result.append(try scalarText(element, rule)) }
            return .list(result)
        case (.list, _): throw wrongType(node, "a list of strings")
        case (.map(let rule), .object(let members)): return .map(try map(members, rule))
        case (.map, _): throw wrongType(node, "an object of strings")
        case (.flag, .bool(let flag, _)): return .flag(flag)
        case (.integer, .number(let text)), (.size, .number(let text)), (.duration, .number(let text)):
            return try located(node) { () throws(Failure) in try value(fromText: text) }
        case (.size, .string(let text)), (.duration, .string(let text)), (.text, .string(let text)), (.choice, .string(let text)):
            return try located(node) { () throws(Failure) in try expandedValue(text) }
        case (.flag, .string(let text)) where text.contains("${"), (.integer, .string(let text)) where text.contains("${"):
            return try located(node) { () throws(Failure) in try expandedValue(text) }
        case (.flag, _): throw wrongType(node, "true or false")
        case (.integer, _): throw wrongType(node, "a number")
        case (.size, _): throw wrongType(node, "a number of bytes or a string such as \"16MiB\"")
        case (.duration, _): throw wrongType(node, "a number of seconds or a string such as \"30s\"")
        case (.text, _), (.choice, _): throw wrongType(node, "a string")
        }
    }

    private func expandedValue(_ text: String) throws(Failure) -> ConfigurationValue {
        guard let expanded = try expand(text) else { return try keptValue(text) }
        do {
            return try value(fromText: expanded)
        } catch {
            // The value of a variable is not the user's text; quote what stands in the file.
            guard expanded != text else { throw error }
            throw Failure(message: "after expansion of \(mayQuote ? "\"\(text)\"" : "its variables") the value \(plainReason(expanded))")
        }
    }

    private func plainReason(_ expanded: String) -> String {
        do throws(Failure) {
            _ = try ValueReader(kind: kind, context: context, mayQuote: false).value(fromText: expanded)
            return "is not acceptable"
        } catch {
            return error.message
        }
    }

    /// The value of a text with unset variables in an entry that is not used: the text itself, if the kind is text at all.
    private func keptValue(_ text: String) throws(Failure) -> ConfigurationValue {
        switch kind {
        case .text: .text(text)
        case .integer(let range), .size(let range): .integer(range.lowerBound)
        case .duration(let range): .duration(range.lowerBound)
        case .flag: .flag(false)
        case .choice(let choice): .text(choice.values.first ?? text)
        case .list: .list([text])
        case .map: .map([:])
        }
    }

    /// `nil` if a variable is unset and that is no problem here.
    private func expand(_ text: String) throws(Failure) -> String? {
        do {
            return try VariableExpansion.expand(text, environment: context.environment)
        } catch {
            if case .unset = error, case .areKept = context.unsetVariables { return nil }
            throw Failure(message: error.message)
        }
    }

    /// Elements of lists and objects: numbers and booleans are taken by their text, as other programs do.
    private func scalarText(_ node: DocumentNode, _ rule: TextRule, key: String? = nil) throws(Failure) -> String {
        let prefix = key.map { "\($0): " } ?? ""
        let text: String
        switch node.value {
        case .string(let string):
            do throws(Failure) {
                guard let expanded = try expand(string) else { return string }
                text = expanded
            } catch {
                throw Failure(message: prefix + error.message, line: node.line)
            }
        case .number(let number): text = number
        case .bool(_, let spelling): text = spelling
        case .null, .array, .object: throw Failure(message: "\(prefix)must be a string, not \(node.typeName)", line: node.line)
        }
        if let problem = rule.problem(with: text) {
            throw Failure(message: prefix + problem + (mayQuote && text == node.string ? quoted(text) : ""), line: node.line)
        }
        return rule == .path ? context.absolutePath(text) : text
    }

    private func map(_ members: [DocumentNode.Member], _ rule: ValueKind.MapRule) throws(Failure) -> [String: String] {
        var result: [String: String] = [:]
        var seen: Set<String> = []
        for member in members {
            if let problem = MapNames.problem(with: member.key, rule) { throw Failure(message: problem, line: member.line) }
            guard seen.insert(MapNames.identity(of: member.key, rule)).inserted else {
                throw Failure(message: "\"\(member.key)\" is there twice", line: member.line)
            }
            let value = try scalarText(member.value, .anyOrEmpty, key: member.key)
            if rule == .headers, value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
                throw Failure(message: "\(member.key): must not contain control characters", line: member.line)
            }
            result[member.key] = value
        }
        return result
    }

    // MARK: Checks

    private func checked(_ text: String, _ rule: TextRule) throws(Failure) -> String {
        if let problem = rule.problem(with: text) { throw failure(problem, text) }
        return rule == .path ? context.absolutePath(text) : text
    }

    private func inRange(_ number: Int, _ range: ClosedRange<Int>, _ text: String) throws(Failure) -> ConfigurationValue {
        guard range.contains(number) else { throw failure("must be within \(kind.rangeText)", text) }
        return .integer(number)
    }

    private func inRange(_ duration: Duration, _ range: ClosedRange<Duration>, _ text: String) throws(Failure) -> ConfigurationValue {
        guard range.contains(duration) else { throw failure("must be within \(kind.rangeText)", text) }
        return .duration(duration)
    }

    private func chosen(_ text: String, _ choice: ValueKind.Choice) throws(Failure) -> String {
        if choice.values.contains(text) { return text }
        if let value = choice.aliases[text] { return value }
        if let refusal = choice.refusals[text] { throw Failure(message: refusal) }
        let guess = NearestName.find(text, in: choice.values).map { "; did you mean \"\($0)\"?" } ?? ""
        throw Failure(message: "must be one of \(choice.values.joined(separator: ", "))\(quoted(text))\(guess)")
    }

    private func failure(_ message: String, _ text: String) -> Failure { Failure(message: message + quoted(text)) }

    private func quoted(_ text: String) -> String { mayQuote ? ", not \"\(text.prefix(80))\"" : "" }

    private func wrongType(_ node: DocumentNode, _ wanted: String) -> Failure {
        Failure(message: "must be \(wanted), not \(node.typeName)", line: node.line)
    }

    private func located<Value>(_ node: DocumentNode, _ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        do {
            return try body()
        } catch {
            throw Failure(message: error.message, line: error.line ?? node.line)
        }
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        var slice = self[...]
        while slice.first?.isWhitespace == true { slice = slice.dropFirst() }
        while slice.last?.isWhitespace == true { slice = slice.dropLast() }
        return String(slice)
    }
}
