/// Makes valid names of servers.
enum ServerNameSlug {
    /// The name itself if it is valid; else the nearest valid one that is not taken.
    static func make(_ name: String, taken: Set<String>) -> String {
        if ServerName.problem(with: name) == nil, !taken.contains(name) { return name }
        var slug = String(name.unicodeScalars.map { $0.isASCII && ServerName.isAllowed(UInt8($0.value)) ? Character($0) : "-" })
        for (double, single) in [("--", "-"), ("__", "_")] {
            while let range = slug.firstRange(of: double) { slug.replaceSubrange(range, with: single) }
        }
        slug = trimmed(slug)
        if slug.isEmpty { slug = "server" }
        slug = trimmed(String(slug.prefix(ServerName.maxLength)))
        var candidate = slug
        var number = 2
        while ServerName.problem(with: candidate) != nil || taken.contains(candidate) {
            candidate = trimmed(String(slug.prefix(ServerName.maxLength - 6))) + "-\(number)"
            number += 1
        }
        return candidate
    }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while let first = text.first, first == "-" || first == "_" { text = text.dropFirst() }
        while let last = text.last, last == "-" || last == "_" { text = text.dropLast() }
        return String(text)
    }
}
