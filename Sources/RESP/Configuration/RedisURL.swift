/// The parts of a URL that names a server or sentinels.
///
/// Errors quote nothing of it: where it is wrong, any part may be a piece of a password with a character that ought to be encoded.
struct RedisURL {
    var target: RedisConfiguration.Target
    var credentials: RedisCredentials?
    var sentinelCredentials: RedisCredentials?
    var database = 0
    var isEncrypted: Bool

    private static let forms = """
        it must look like redis://user:password@host:6379/0, rediss://… or \
        redis+sentinel://user:password@host:26379,host:26379/master-name/0
        """

    init(_ url: String) throws(RedisConfigurationError) {
        guard let schemeEnd = url.firstRange(of: "://") else { throw RedisConfigurationError("the Redis URL has no scheme; \(Self.forms)") }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let isSentinel: Bool
        switch scheme {
        case "redis", "rediss": isSentinel = false
        case "redis+sentinel", "rediss+sentinel": isSentinel = true
        default: throw RedisConfigurationError("the Redis URL has an unknown scheme; \(Self.forms)")
        }
        isEncrypted = scheme.hasPrefix("rediss")

        var rest = url[schemeEnd.upperBound...]
        guard !rest.contains("#") else { throw RedisConfigurationError("the Redis URL has a fragment; a # in a password is written %23") }
        // Otherwise what follows could be the rest of a password, and would be shown.
        if let end = rest.firstIndex(where: { $0 == "/" || $0 == "?" }), rest[end...].contains("@") {
            throw RedisConfigurationError("the Redis URL has an @ after its host; in passwords, : @ / ? # are percent-encoded")
        }
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        var path: [Substring] = []
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...].split(separator: "/", omittingEmptySubsequences: false)
            rest = rest[..<slash]
        }
        if path.last == "" { path.removeLast() }
        if let at = rest.lastIndex(of: "@") {
            credentials = try Self.credentials(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }

        let hosts = rest.split(separator: ",", omittingEmptySubsequences: false)
        var addresses: [RedisAddress] = []
        for host in hosts { addresses.append(try Self.address(host, defaultPort: isSentinel ? 26379 : 6379)) }
        if isSentinel {
            guard let name = path.first, !name.isEmpty else {
                throw RedisConfigurationError("the Redis URL does not name the master that the sentinels watch; \(Self.forms)")
            }
            path.removeFirst()
            target = .sentinels(addresses, master: try Self.decode(name))
        } else {
            guard addresses.count == 1 else {
                throw RedisConfigurationError("the Redis URL names several hosts; only redis+sentinel:// may")
            }
            target = .server(addresses[0])
        }
        guard path.count <= 1 else { throw RedisConfigurationError("the Redis URL has too many parts in its path; \(Self.forms)") }
        if let number = path.first {
            guard let database = Int(number), database >= 0 else {
                throw RedisConfigurationError("the database in the Redis URL, after the last /, must be a number from 0 on")
            }
            self.database = database
        }
        try read(query: query, isSentinel: isSentinel)
    }

    private mutating func read(query: Substring, isSentinel: Bool) throws(RedisConfigurationError) {
        var user: String?
        var password: String?
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = try Self.decode(parts.count > 1 ? parts[1] : "")
            switch parts[0] {
            case "sentinelUser" where isSentinel: user = value.isEmpty ? nil : value
            case "sentinelPassword" where isSentinel: password = value.isEmpty ? nil : value
            default:
                let known = isSentinel ? "sentinelUser and sentinelPassword are known" : "there is none for this scheme"
                throw RedisConfigurationError("the Redis URL has an unknown parameter; \(known)")
            }
        }
        if let password {
            sentinelCredentials = RedisCredentials(user: user, password: password)
        } else if user != nil {
            throw RedisConfigurationError("the Redis URL has sentinelUser without sentinelPassword")
        }
    }

    private static func credentials(_ text: Substring) throws(RedisConfigurationError) -> RedisCredentials? {
        guard !text.isEmpty else { return nil }
        guard let colon = text.firstIndex(of: ":") else {
            throw RedisConfigurationError("the Redis URL has a user without a password; a password alone is written :password@host")
        }
        let user = try decode(text[..<colon])
        let password = try decode(text[text.index(after: colon)...])
        guard !password.isEmpty else {
            guard user.isEmpty else { throw RedisConfigurationError("the Redis URL has a user with an empty password") }
            return nil
        }
        return RedisCredentials(user: user.isEmpty ? nil : user, password: password)
    }

    private static func address(_ text: Substring, defaultPort: Int) throws(RedisConfigurationError) -> RedisAddress {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw RedisConfigurationError("the Redis URL has a [ without ] in its host") }
            host = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw RedisConfigurationError("the Redis URL has text after ] in its host") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw RedisConfigurationError("the Redis URL has no host; \(forms)") }
        let name = try decode(host)
        guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw RedisConfigurationError("a host in the Redis URL has spaces or control characters")
        }
        guard let port else { return RedisAddress(host: name, port: defaultPort) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw RedisConfigurationError(
                "a port in the Redis URL is no number from 1 to 65535; in passwords, : @ / ? # are percent-encoded")
        }
        return RedisAddress(host: name, port: number)
    }

    private static func decode(_ text: Substring) throws(RedisConfigurationError) -> String {
        guard text.contains("%") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                throw RedisConfigurationError("the Redis URL has a % that two hexadecimal digits do not follow; % itself is written %25")
            }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw RedisConfigurationError("the Redis URL has percent-encoded bytes that are no UTF-8")
        }
        return decoded
    }
}
