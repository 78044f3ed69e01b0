/// Turns the variables of clients and editors into ours.
struct EditorVariables {
    /// What was replaced and what the user has to know about it, without repetition.
    private(set) var messages: [String] = []

    /// `${env:NAME}` → `${NAME}`, `${input:token}` → `${TOKEN}`, `${workspaceFolder}` → `${WORKSPACE_FOLDER}`; `${NAME}` and
    /// `${NAME:-default}` stay; every other dollar sign becomes `$$` where it would otherwise be read as something.
    mutating func convert(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.hasPrefix("{"), let end = rest.firstIndex(of: "}") {
                result += replacement(for: String(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
            } else if rest.hasPrefix("$") || rest.hasPrefix("{") {
                // One of our escapes, or a brace that is never closed: keep the dollar sign literally.
                result += "$$"
            } else {
                result += "$"
            }
        }
        return result + rest
    }

    private mutating func replacement(for expression: String) -> String {
        let name = expression.firstRange(of: ":-").map { String(expression[..<$0.lowerBound]) } ?? expression
        if VariableExpansion.isVariableName(name), !Self.editorNames.keys.contains(name) { return "${\(expression)}" }
        if let replacement = Self.editorNames[expression] {
            if replacement.hasPrefix("${"), expression != "userHome" {
                note("${\(expression)} became \(replacement): set this environment variable for the gateway")
            }
            return replacement
        }
        let parts = expression.split(separator: ":", maxSplits: 1).map(String.init)
        if parts.count == 2, parts[0] == "env", VariableExpansion.isVariableName(parts[1]) { return "${\(parts[1])}" }
        if parts.count == 2, parts[0] == "input" {
            let variable = Self.variableName(from: parts[1])
            note("${\(expression)} became ${\(variable)}: set this environment variable for the gateway")
            return "${\(variable)}"
        }
        note("${\(expression)} is not known and was kept as plain text")
        return "$${\(expression)}"
    }

    private mutating func note(_ message: String) {
        if !messages.contains(message) { messages.append(message) }
    }

    private static let editorNames = [
        "workspaceFolder": "${WORKSPACE_FOLDER}", "workspaceRoot": "${WORKSPACE_FOLDER}",
        "workspaceFolderBasename": "${WORKSPACE_FOLDER_BASENAME}", "userHome": "${HOME}", "pathSeparator": "/", "/": "/",
    ]

    /// `github-token` → `GITHUB_TOKEN`.
    static func variableName(from id: String) -> String {
        let name = String(id.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        return VariableExpansion.isVariableName(name) ? name : "_" + name
    }
}
