/// Where Redis is: `redis://user:password@host:port/db`, `rediss://…` with TLS, or
/// `redis+sentinel://user:password@host:port,host:port/master-name/db?sentinelUser=…&sentinelPassword=…`.
///
/// Only its shape is checked here; the driver reads the whole `text`. Whatever prints the value prints `description`, which holds no secret.
public struct RedisURL: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URL with its secrets: for the driver alone.
    public let text: String
    /// Scheme, hosts and path: the URL without user, password and query.
    public let description: String

    /// Accepts what `problem(with:)` finds nothing wrong with.
    public init?(_ text: String) {
        guard Self.problem(with: text) == nil, let parts = Parts(text) else { return nil }
        self.text = text
        description = "\(parts.scheme)://\(parts.hosts.joined(separator: ","))\(parts.path)"
    }

    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["redacted": description]) }

    /// Why the text is not acceptable; never contains any of it.
    static func problem(with text: String) -> String? {
        guard let parts = Parts(text), ["redis", "rediss", "redis+sentinel"].contains(parts.scheme) else {
            return "must begin with redis://, rediss:// (TLS) or redis+sentinel://"
        }
        guard !parts.hosts.isEmpty, parts.hosts.allSatisfy(isHost) else {
            return """
                must name a host, or host:port, after the scheme and the password; in a password, write characters such as / ? # @ as %2F %3F \
                %23 %40
                """
        }
        let path = parts.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if parts.scheme == "redis+sentinel" {
            guard let master = path.first, !master.isEmpty else {
                return "must name the master that the Sentinels watch: redis+sentinel://host:port,host:port/master-name"
            }
            return isDatabase(path.dropFirst()) ? nil : "must end with /master-name or /master-name/ and the number of a database"
        }
        if parts.hosts.count > 1 { return "must name one host; several are for redis+sentinel://" }
        return isDatabase(path) ? nil : "must end with the host or with / and the number of a database"
    }

    private static func isDatabase(_ path: ArraySlice<Substring>) -> Bool {
        guard let number = path.first else { return true }
        return path.count == 1 && (number.isEmpty || UInt16(number) != nil && number.utf8.allSatisfy { $0 != UInt8(ascii: "+") })
    }

    private static func isHost(_ text: Substring) -> Bool {
        TextRule.hostHeader.problem(with: String(text)) == nil && !text.hasSuffix("]:") && !text.hasSuffix(":0")
    }

    /// RFC 3986, section 3, with more than one host. Foundation reads no such URL.
    private struct Parts {
        var scheme: String
        var hosts: [Substring]
        /// Empty, or with its leading slash.
        var path: Substring

        init?(_ text: String) {
            guard let separator = text.firstRange(of: "://") else { return nil }
            scheme = text[..<separator.lowerBound].lowercased()
            let rest = text[separator.upperBound...]
            let authority = rest.prefix { !"/?#".contains($0) }
            let afterUser = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
            hosts = afterUser.split(separator: ",", omittingEmptySubsequences: false)
            path = rest[authority.endIndex...].prefix { !"?#".contains($0) }
        }
    }
}
