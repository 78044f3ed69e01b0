import ArgumentParser
import Foundation

/// The headers that the client commands send: those of `--header`, and the bearer token of the environment.
enum ConnectHeaders {
    /// The environment variable that holds the token. Not an option, because process arguments can be read by other users.
    static let tokenVariable = "MCP_GATEWAY_TOKEN"

    /// - Throws: `ValidationError` for an option that is no header.
    static func parse(_ options: [String], environment: [String: String] = ProcessInfo.processInfo.environment) throws -> [(String, String)]
    {
        var headers: [(String, String)] = []
        for option in options {
            guard let colon = option.firstIndex(of: ":") else { throw refusal(option) }
            let name = option[..<colon].trimmingCharacters(in: .whitespaces)
            let value = option[option.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            let symbols = "!#$%&'*+-.^_`|~"
            let isName =
                !name.isEmpty
                && name.unicodeScalars.allSatisfy {
                    $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || symbols.unicodeScalars.contains($0))
                }
            guard isName, value.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else { throw refusal(option) }
            headers.append((name, value))
        }
        if let token = environment[tokenVariable], !token.isEmpty, !headers.contains(where: { $0.0.lowercased() == "authorization" }) {
            headers.append(("Authorization", "Bearer \(token)"))
        }
        return headers
    }

    /// The value is not shown: it may be a secret.
    private static func refusal(_ option: String) -> ValidationError {
        ValidationError(
            "--header must be 'Name: value'; the name before the colon, or a control character, is wrong in the option that starts with '\(option.prefix(4))…'."
        )
    }
}
