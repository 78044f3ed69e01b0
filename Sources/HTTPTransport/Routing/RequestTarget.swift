import Foundation

/// The target of a request line (RFC 9112, section 3.2), in origin form.
struct RequestTarget {
    let path: Substring
    /// Without the question mark; empty when there is none.
    let query: Substring
    /// Host and port of a target in absolute form, which stand for those of `Host`.
    let authority: Substring?

    /// Nil for what is no target of a server: authority form, asterisk form, a foreign scheme.
    init?(_ uri: String) {
        var rest = uri[...]
        if rest.utf8.first == UInt8(ascii: "/") {
            authority = nil
        } else {
            guard let scheme = ["http://", "https://"].first(where: { uri.prefix($0.count).lowercased() == $0 }) else { return nil }
            rest = rest.dropFirst(scheme.count)
            let end = rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard end > rest.startIndex, !rest[..<end].utf8.contains(UInt8(ascii: "@")) else { return nil }
            authority = rest[..<end]
            rest = rest[end...]
        }
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        } else {
            query = ""
        }
        path = rest.isEmpty ? "/" : rest
    }

    /// The target as a router wants it.
    var originForm: String { query.isEmpty ? String(path) : "\(path)?\(query)" }

    /// The first value of a query parameter, percent-decoded if that makes valid UTF-8; nil without one.
    func parameter(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.first.map(String.init)?.removingPercentEncoding == name else { continue }
            guard parts.count == 2 else { return "" }
            return parts[1].replacing("+", with: " ").removingPercentEncoding ?? String(parts[1])
        }
        return nil
    }
}
