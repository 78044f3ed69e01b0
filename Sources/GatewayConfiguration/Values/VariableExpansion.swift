/// `${VAR}` and `${VAR:-default}` in strings of the file; `$$` is one dollar sign; any other `$` is itself.
enum VariableExpansion {
    enum Failure: Error, Equatable {
        case unset(variable: String)
        case unterminated
        /// Carries the text between the braces, which names a variable and is no value.
        case badName(String)

        var message: String {
            switch self {
            case .unset(let variable):
                "the environment variable \(variable) is not set; set it, or give a default with ${\(variable):-value}"
            case .unterminated:
                "\"${\" without \"}\"; write ${NAME}, ${NAME:-default}, or $$ for a dollar sign"
            case .badName(let name) where name.hasPrefix("input:") || name.hasPrefix("env:") || name == "workspaceFolder":
                "${\(name)} is a variable of an editor; write ${NAME} for an environment variable, or let mcp-gateway import convert the file"
            case .badName:
                "what stands between \"${\" and \"}\" is not the name of a variable; write ${NAME}, ${NAME:-default}, or $$ for a dollar sign"
            }
        }
    }

    /// As in a shell, `:-` applies to a variable that is unset or empty.
    static func expand(_ text: String, environment: [String: String]) throws(Failure) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.hasPrefix("$") {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.hasPrefix("{") {
                guard let end = rest.firstIndex(of: "}") else { throw .unterminated }
                result += try value(of: rest[rest.index(after: rest.startIndex)..<end], environment: environment)
                rest = rest[rest.index(after: end)...]
            } else {
                result += "$"
            }
        }
        return result + rest
    }

    private static func value(of expression: Substring, environment: [String: String]) throws(Failure) -> String {
        let name: Substring
        let fallback: Substring?
        if let separator = expression.firstRange(of: ":-") {
            name = expression[..<separator.lowerBound]
            fallback = expression[separator.upperBound...]
        } else {
            name = expression
            fallback = nil
        }
        guard isVariableName(name) else { throw .badName(String(name)) }
        let value = environment[String(name)]
        if let fallback { return value.flatMap { $0.isEmpty ? nil : $0 } ?? String(fallback) }
        guard let value else { throw .unset(variable: String(name)) }
        return value
    }

    static func isVariableName(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return text.utf8.allSatisfy { $0 != UInt8(ascii: "-") && ServerName.isAllowed($0) }
    }
}
