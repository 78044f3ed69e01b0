/// Where a server or a sentinel listens.
public struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an IP address, an IPv6 address without brackets.
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A user and its password. Neither description nor reflection shows the password.
public struct RedisCredentials: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// Nil is the user `default`.
    public var user: String?
    public var password: String

    public init(user: String? = nil, password: String) {
        self.user = user
        self.password = password
    }

    public var description: String { "\(user ?? "default"):***" }
    public var customMirror: Mirror { Mirror(self, children: [("user", user ?? "default"), ("password", "***")]) }
}
