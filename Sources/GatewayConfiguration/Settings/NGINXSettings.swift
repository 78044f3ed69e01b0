/// What `mcp-gateway nginx-config` writes (`gateway.nginx`). The gateway itself makes no use of it.
public struct NGINXSettings: Sendable, Equatable {
    /// Addresses of the instances, such as `http://10.0.0.5:3001`; empty: this gateway's own.
    public var instances: [String] = []

    /// The defaults.
    public init() {}
}
