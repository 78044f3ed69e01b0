import GatewayCore

/// Every key of an entry of `mcpServers`, in the order of the documentation.
enum ServerKeys {
    static let transports = ValueKind.Choice(
        values: ["stdio", "http"],
        aliases: ["streamable-http": "http", "streamableHttp": "http", "streamable_http": "http", "streamablehttp": "http"],
        refusals: [
            "sse": """
            servers of the old HTTP+SSE transport (2024-11-05) are not supported yet; use the server's Streamable HTTP endpoint \
            with "type": "http"
            """
        ])
    private static let defaults = ServerConfiguration(name: "default", transport: .stdio(.init(command: "")))

    static let all: [ConfigurationKey] = [
        key(
            "type", .choice(transports), "from `command` or `url`",
            "How to reach the server. Other spelling: `transport`; `streamable-http` means `http`."),
        key("transport", .choice(transports), "from `command` or `url`", "The same as `type`."),
        key("command", .text(.any), "none", "stdio: program, searched in `PATH`, or path."),
        key(
            "args", .list(.anyOrEmpty), "none", "stdio: arguments. They are visible to other users of the machine: put secrets into `env`."),
        key("env", .map(.environment), "none", "stdio: variables that are added to the gateway's own environment. Never logged."),
        key("cwd", .text(.path), "the gateway's", "stdio: working directory; relative to the directory of the file."),
        key("url", .text(.httpURL), "none", "http: MCP endpoint of the server."),
        key("headers", .map(.headers), "none", "http: headers that are sent with every request. Never logged."),
        key(
            "isolation", .choice(.init(values: Isolation.allCases.map(\.rawValue))), defaults.isolation.rawValue,
            "`shared`: one process or connection for all sessions. `session`: one for each, which alone may use the client's sampling, elicitation and roots."
        ),
        key(
            "era", .choice(.init(values: EraPolicy.allCases.map(\.rawValue))), defaults.era.rawValue,
            "Which protocol the server speaks: `legacy` with `initialize` (up to 2025-11-25), `modern` without (2026-07-28); `auto` finds out at the start, by `server/discover`."
        ),
        key(
            "probeTimeout", .duration(.milliseconds(100)...Duration.seconds(3600)), DurationText.format(defaults.probeTimeout),
            "`era: auto`: how long the server may take to answer `server/discover` once it has read it, at most half of `handshakeTimeout`. Then it is asked to `initialize`."
        ),
        key(
            "timeout", .duration(.milliseconds(100)...Duration.seconds(86_400)), DurationText.format(defaults.timeout),
            "How long the server may be silent about a call. Then the call is cancelled and the client gets an error. Progress starts the time anew; it stands still while the client is asked for something."
        ),
        key(
            "handshakeTimeout", .duration(.milliseconds(100)...Duration.seconds(3600)), DurationText.format(defaults.handshakeTimeout),
            "How long start and `initialize` may take. Then the process is stopped and tried again with backoff."),
        key(
            "idleTimeout", .duration(.seconds(1)...Duration.seconds(86_400)), DurationText.format(defaults.idleTimeout),
            "`isolation: session`: a process that is not used for this long is stopped; the next call starts it again."),
        key(
            "tools.allow", .list(.any), "every tool",
            "Patterns on the server's own tool names (`*` any run, `?` one character); only tools that match one are exposed."),
        key("tools.deny", .list(.any), "none", "Patterns; tools that match one are not exposed, even if `tools.allow` names them."),
        key("required", .flag, "false", "Whether the gateway is unfit for traffic (`/ready` answers 503) while the server is not up."),
        key("disabled", .flag, "false", "Leaves the server out. Its entry is still checked."),
    ]

    private static func key(_ path: String, _ kind: ValueKind, _ defaultText: String, _ summary: String) -> ConfigurationKey {
        ConfigurationKey(path: path, kind: kind, defaultText: defaultText, summary: summary)
    }
}
