/// The environment of child processes: the gateway's own without what is meant for the gateway alone, and the server's additions.
///
/// Not inherited are secrets of the gateway (a server that needs one gets it by its `env` entry), settings that would make an MCP
/// server behave like the gateway (`MCP_TRANSPORT=http`), and what a service manager addressed to the gateway's own process.
public enum ChildEnvironment {
    /// Names that are not inherited.
    public static let deniedNames: Set<String> = [
        // Secrets and addresses of the gateway's stores.
        "DATABASE_URL", "PGPASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "REDIS_URL", "REDIS_SENTINEL_PASSWORD", "SENTINEL_PASSWORD",
        // Settings of the gateway.
        "ENABLE_SSE", "INSTANCE_ID", "MCP_SERVER_PORT", "MCP_TRANSPORT", "SESSION_STORE",
        // systemd's words to the gateway's process.
        "LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
    ]

    /// Names that start so are not inherited.
    public static let deniedPrefix = "MCP_GATEWAY_"

    /// The complete environment of a child. The guard's marker wins over `additions`: it is what finds the child after a crash.
    static func make(inherited: [String: String], additions: [String: String], marker: String?) -> [String: String] {
        var environment = inherited.filter { name, _ in !deniedNames.contains(name) && !name.hasPrefix(deniedPrefix) }
        environment.merge(additions) { _, added in added }
        environment[ProcessGuard.variable] = marker
        return environment
    }
}
