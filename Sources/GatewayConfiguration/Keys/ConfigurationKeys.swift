/// Every key of the `gateway` object, in the order of the documentation.
enum ConfigurationKeys {
    private static let year = Duration.seconds(365 * 86_400)
    private static let day = Duration.seconds(86_400)
    private static let hour = Duration.seconds(3600)

    static let gateway: [ConfigurationKey] =
        general + store + redis + cluster + sessions + streams + limits + api + metrics + log + nginx + environmentTools

    private static let general: [ConfigurationKey] = [
        .choice(
            "transport", \.transport,
            "How the gateway faces its clients: Streamable HTTP, or standard input and output for one client. `sse` means `http`, which serves SSE too.",
            aliases: ["sse": "http", "streamable-http": "http"], otherVariables: ["MCP_TRANSPORT"]),
        .text(
            "host", .hostName, \.host,
            "Address to listen on. Anything but loopback is refused unless `insecureAllowRemote` is set."),
        .integer(
            "port", 0...65535, \.port, "TCP port to listen on; 0 lets the system choose a free one.", otherVariables: ["MCP_SERVER_PORT"]),
        .flag(
            "insecureAllowRemote", \.insecureAllowRemote,
            "Permits a `host` other than loopback although clients are not authenticated: everyone who reaches the port can call every tool."
        ),
        .list(
            "allowedOrigins", .origin, \.allowedOrigins,
            "Values of the `Origin` header that are accepted; other web pages get 403. Requests without `Origin` do not come from a web page and are accepted.",
            defaultText: "loopback origins"),
        .list(
            "allowedHosts", .hostHeader, \.allowedHosts,
            "Values of the `Host` header that are accepted; others get 403 (DNS rebinding). A name without port matches every port.",
            defaultText: "loopback names and `host`"),
        .text(
            "instanceID", .instanceID, \.instanceID,
            "Name of this instance in logs, metrics and ownership records; unique among instances.",
            defaultText: "the host name", otherVariables: ["INSTANCE_ID"]),
        .optionalText(
            "colour", .instanceID, \.colour,
            "Colour of a blue-green deployment that this instance belongs to; `/health` and `mcp_build_info` show it.",
            otherVariables: ["DEPLOYMENT_COLOUR"]),
        .flag(
            "enableSSE", \.enableSSE,
            "Whether clients may be answered with, and may open, SSE streams. Without it every answer is JSON, GET gets 405, and progress and log messages are dropped.",
            otherVariables: ["ENABLE_SSE"]),
        .flag(
            "enableLegacySSE", \.enableLegacySSE,
            "Whether HTTP+SSE, the transport of 2024-11-05, is served at `/sse` and `/messages` too. Needs `enableSSE`."),
        .integer(
            "threads", 1...256, \.threads, "Event loops that serve clients and upstreams.", defaultText: "half the cores, at least 1"),
        .duration(
            "drainTimeout", .zero...hour, \.drainTimeout,
            "After SIGTERM, how long open exchanges may go on. Those that remain are cancelled."),
        .duration(
            "startupWait", .zero...Duration.seconds(600), \.startupWait,
            "At start, how long to wait for upstreams before serving without the late ones; they are added when they are ready."),
        .integer(
            "pageSize", 1...10_000, \.pageSize,
            "Entries per page of `tools/list` and the other lists, and of `GET /api/sessions`; more entries are on the next page."),
    ]

    private static let store: [ConfigurationKey] = [
        .choice(
            "store.kind", \.store.kind,
            "Where sessions and event streams are kept: SQLite in `store.dataDirectory`, Redis, which many instances share, or memory, which does not survive the process. `sqlite` means `embedded`, `valkey` `redis`.",
            aliases: ["sqlite": "embedded", "valkey": "redis"], otherVariables: ["SESSION_STORE"]),
        .text(
            "store.dataDirectory", .path, \.store.dataDirectory,
            "Directory of the embedded store; created with mode 0700 if it does not exist. One gateway process per directory.",
            defaultText: "`$XDG_STATE_HOME/mcp-gateway`, else `~/.local/state/mcp-gateway`"),
    ]

    private static let sessions: [ConfigurationKey] = [
        .duration(
            "sessions.timeToLive", .seconds(1)...year, \.sessions.timeToLive,
            "A session that is not used for this long ends; its next request gets 404. Every request renews it."),
        .duration(
            "sessions.sweepInterval", .milliseconds(100)...day, \.sessions.sweepInterval, "Time between two searches for expired sessions."),
        .integer(
            "sessions.maxSessions", 1...10_000_000, \.sessions.maxSessions,
            "Sessions that may exist at once. Further `initialize` requests get 503."),
        .integer(
            "sessions.maxSessionsPerClient", 1...10_000_000, \.sessions.maxSessionsPerClient,
            "Sessions that one client (`clientInfo.name`, or `clientId` of the REST API) may have at once. Further ones get 429. Many users of one program share its name: lower it only where names tell clients apart."
        ),
        .duration(
            "sessions.idleEviction", .seconds(1)...day, \.sessions.idleEviction,
            "A session that is idle for this long is dropped from memory; the store still has it and the next request loads it."),
    ]

    private static let streams: [ConfigurationKey] = [
        .duration(
            "streams.retry", .zero...hour, \.streams.retry, "Value of the SSE `retry` field: how long a client waits before it reconnects."),
        .duration(
            "streams.keepAlive", .milliseconds(100)...hour, \.streams.keepAlive,
            "Time between two comments on an SSE stream that has nothing to say, so that proxies keep it open."),
        .duration(
            "streams.eventsKeepAlive", .milliseconds(100)...hour, \.streams.eventsKeepAlive,
            "Time between two `keepalive` events on `/sse/events`."),
        .duration(
            "streams.firstEventWait", .zero...Duration.seconds(60), \.streams.firstEventWait,
            "How long a POST waits for its first event; if that is the result, the answer is JSON. After it the answer becomes an SSE stream."
        ),
        .integer(
            "streams.maxEventsPerStream", 1...1_000_000, \.streams.maxEventsPerStream,
            "Events per stream that are kept for resumption. The oldest go first; a client that resumes before them is told that they are missing."
        ),
        .size(
            "streams.maxBytesPerStream", (64 << 10)...(16 << 30), \.streams.maxBytesPerStream,
            "Bytes per stream that are kept for resumption. The oldest events go first."),
        .duration(
            "streams.retention", .seconds(1)...year, \.streams.retention,
            "How long an event is kept for resumption. Older ones are deleted."),
        .integer(
            "streams.maxRepetitions", 0...1000, \.streams.maxRepetitions,
            "How often a call that may be worked on twice is begun again after the end of the instance that worked on it, by whoever resumes its stream or passes it on. Then its client gets an error: the call may be what ends them. 0: never."
        ),
        .size(
            "streams.slowReaderBuffer", (64 << 10)...(1 << 30), \.streams.slowReaderBuffer,
            "Bytes that may wait for a client that reads slowly. Beyond it the stream is closed; the client resumes from the event log."),
    ]

    private static let limits: [ConfigurationKey] = [
        .size(
            "limits.maxBodyBytes", 1024...(1 << 30), \.limits.maxBodyBytes,
            "Bytes of one request body, and of one message of an HTTP upstream. A larger body gets 413."),
        .size("limits.maxHeaderBytes", 4096...(1 << 20), \.limits.maxHeaderBytes, "Bytes of the headers of one request. More gets 431."),
        .integer(
            "limits.maxInFlightPerUpstream", 1...1_000_000, \.limits.maxInFlightPerUpstream,
            "Requests that one upstream works on at once. Further ones fail with an error that says so."),
        .integer(
            "limits.maxConcurrentPerSession", 1...100_000, \.limits.maxConcurrentPerSession,
            "Requests of one session at once. Further ones get 429."),
        .integer(
            "limits.maxSessionProcesses", 1...10_000, \.limits.maxSessionProcesses,
            "Child processes per upstream with `isolation: session`. When that many run, the one that was idle longest is stopped for a new one; if none is idle, the call fails with an error that says so."
        ),
        .integer(
            "limits.maxParkedExchanges", 0...1_000_000, \.limits.maxParkedExchanges,
            "Requests of clients of 2026-07-28 that wait for their client's input. When that many wait, a request whose server asks for input fails. Just as many tasks may have a process of their server for themselves."
        ),
        .duration(
            "limits.parkedExchangeTimeout", .seconds(1)...day, \.limits.parkedExchangeTimeout,
            "How long each of them waits, and how long a `requestState` is good."),
        .integer(
            "limits.maxInputRounds", 1...1000, \.limits.maxInputRounds,
            "How often a server of 2026-07-28 may ask for input before it answers one request of a client of before. One that asks more often makes the request fail."
        ),
        .integer(
            "limits.maxSubscriptions", 0...1_000_000, \.limits.maxSubscriptions,
            "Clients of 2026-07-28 that listen to changes (`subscriptions/listen`) at once. Further ones get an error that says so."),
        .integer(
            "limits.maxNestingDepth", 8...4096, \.limits.maxNestingDepth,
            "Levels of nesting in a JSON message. A deeper one gets a parse error."),
        .integer(
            "limits.maxBatchSize", 1...10_000, \.limits.maxBatchSize,
            "Messages in one JSON-RPC batch (revisions up to 2025-03-26). A larger batch gets 400."),
        .integer(
            "limits.maxListeningStreamsPerSession", 1...1000, \.limits.maxListeningStreamsPerSession,
            "Listening (GET) streams of one session at once, and as many connections to `/sse/events`. Further ones get 429."),
        .integer(
            "limits.requestRatePerSession", 0...1_000_000, \.limits.requestRatePerSession,
            "Requests of one session per second, with bursts of as many; 0 means no bound. Further ones get 429 with `Retry-After`."),
        .integer(
            "limits.requestRatePerClient", 0...1_000_000, \.limits.requestRatePerClient,
            "Requests per second of all sessions of one client (`clientInfo.name`, or `clientId` of the REST API) together, with bursts of as many; making a session is one. 0 means no bound. Further ones get 429 with `Retry-After`."
        ),
        .integer(
            "limits.maxConcurrentRequests", 1...1_000_000, \.limits.maxConcurrentRequests,
            "Requests of all clients that wait for their answer at once. Further ones get 503 with `Retry-After` before their body is read."
        ),
        .integer(
            "limits.maxConnections", 1...1_000_000, \.limits.maxConnections,
            "Connections of clients at once. A further one gets 503 with `Retry-After` and is closed."),
        .duration(
            "limits.headerTimeout", .milliseconds(100)...hour, \.limits.headerTimeout,
            "How long a client may take to send the header of a request, from its first byte on. Then it gets 408 and the connection is closed."
        ),
        .duration(
            "limits.bodyTimeout", .milliseconds(100)...hour, \.limits.bodyTimeout,
            "How long a client may take to send the body of a request. Then it gets 408 and the connection is closed."),
        .duration(
            "limits.idleTimeout", .milliseconds(100)...day, \.limits.idleTimeout,
            "How long a connection without a request is kept open."),
        .duration(
            "limits.writeTimeout", .milliseconds(100)...hour, \.limits.writeTimeout,
            "How long a client may take nothing at all of what waits for it. Then the connection is closed; a stream can be resumed."),
        .size(
            "limits.maxLineBytes", (64 << 10)...(1 << 30), \.limits.maxLineBytes,
            "Bytes of one message that a child writes. A child that writes a longer line is stopped and its calls fail."),
        .size(
            "limits.maxQueuedInputBytes", (64 << 10)...(4 << 30), \.limits.maxQueuedInputBytes,
            "Bytes that may wait for a child to read its standard input. A call that does not fit fails with an error that says so."),
    ]

    private static let api: [ConfigurationKey] = [
        .flag("api.enabled", \.api.enabled, "Whether the REST API (`/api/…`, `/sse/events`) is served; otherwise its paths get 404."),
        .duration(
            "api.ticketLifetime", .seconds(1)...hour, \.api.ticketLifetime,
            "How long a ticket for `/sse/events`, which works once, is valid. A later use gets 401."),
        .size(
            "api.maxMetadataBytes", 1024...(1 << 20), \.api.maxMetadataBytes,
            "Bytes of the `metadata` of one session. More gets 413."),
    ]

    private static let metrics: [ConfigurationKey] = [
        .flag("metrics.enabled", \.metrics.enabled, "Whether metrics are recorded and `/metrics` is served; otherwise the path gets 404.")
    ]

    private static let log: [ConfigurationKey] = [
        .choice("log.level", \.log.level, "Least severe level that is logged.", aliases: ["warn": "warning"]),
        .list(
            "log.levels", .logLevel, \.log.levels,
            "Levels of single modules, each `module=level`, such as `gateway.http=debug`; the longest module name that fits a logger wins. An edit takes effect without a restart, as one of `log.level` does.",
            defaultText: "none"),
        .choice(
            "log.format", \.log.format,
            "`auto` is `text` on a terminal and `json` (one object per line) elsewhere. The log goes to standard error."),
    ]

    private static let environmentTools: [ConfigurationKey] = [
        .flag("environmentTools.enabled", \.environmentTools.enabled, "Whether the built-in tools are served."),
        .text(
            "environmentTools.repository", .path, \.environmentTools.repository, "Git repository that is reported on.",
            defaultText: "the working directory"),
        .text(
            "environmentTools.dockerSocket", .path, \.environmentTools.dockerSocket, "Unix socket of the Docker Engine.",
            defaultText: "`DOCKER_HOST` if it is `unix://…`, else `/var/run/docker.sock`"),
        .optionalText(
            "environmentTools.databaseHost", .hostName, \.environmentTools.databaseHost,
            "Host of the database whose port is probed. Without it the database is reported as not configured."),
        .integer("environmentTools.databasePort", 1...65535, \.environmentTools.databasePort, "Port of that database."),
    ]
}
