/// Rules for the names in `env` and `headers`.
enum MapNames {
    static func problem(with name: String, _ rule: ValueKind.MapRule) -> String? {
        switch rule {
        case .environment:
            let isValid = !name.isEmpty && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "=") }
            return isValid ? nil : "the name of a variable must not be empty or contain \"=\""
        case .headers:
            let isToken = !name.isEmpty && name.utf8.allSatisfy { ServerName.isAllowed($0) || "!#$%&'*+.^`|~".utf8.contains($0) }
            return isToken ? nil : "\"\(name.prefix(40))\" is not a header name (RFC 9110, section 5.1)"
        }
    }

    /// Names with the same identity are the same name: headers do not care about case.
    static func identity(of name: String, _ rule: ValueKind.MapRule) -> String {
        rule == .headers ? name.lowercased() : name
    }
}
