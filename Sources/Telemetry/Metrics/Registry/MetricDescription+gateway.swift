extension MetricDescription {
    /// The gateway's own metrics. No label has values that a client chooses: methods and routes are the known ones or `other`, upstreams
    /// and limits are names from the configuration.
    public static let gateway: [MetricDescription] = http + mcp + upstreams + store + cluster + logs

    private static let http: [MetricDescription] = [
        .init("http_requests_total", .counter, "HTTP requests answered.", labels: ["method", "route", "status"]),
        .init(
            "http_request_duration_seconds", .histogram,
            "Time from the head of a request to the end of its answer, for streams to their beginning.", labels: ["method", "route"]),
        .init("http_requests_in_progress", .gauge, "HTTP requests that are being answered."),
        .init("http_connections", .gauge, "Open HTTP connections."),
    ]

    private static let mcp: [MetricDescription] = [
        .init("mcp_build_info", .gauge, "1, for the version that runs.", labels: ["version", "instance_id", "colour"]),
        .init(
            "mcp_requests_total", .counter, "MCP requests of clients, by who worked on them and how they ended.",
            labels: ["method", "upstream", "outcome"]),
        .init("mcp_active_sessions", .gauge, "Sessions in memory."),
        .init("mcp_parked_exchanges", .gauge, "Requests that wait for their modern client's input."),
        .init(
            "mcp_parked_exchange_ends_total", .counter, "Ends of such waits, and refused `requestState`.", labels: ["outcome"]),
        .init("mcp_stored_sessions", .gauge, "Sessions in the store."),
        .init("mcp_sse_connections", .gauge, "Open SSE streams."),
        .init("mcp_events_total", .counter, "Events of SSE streams."),
        .init("mcp_events_replayed_total", .counter, "Events sent again to clients that resumed a stream."),
        .init("mcp_events_dropped_total", .counter, "Events that were not kept for their stream.", labels: ["reason"]),
        .init(
            "mcp_limit_hits_total", .counter, "Requests, events and connections refused by a limit of the configuration.", labels: ["limit"]
        ),
        .init("mcp_degraded", .gauge, "1 while a part works with less than it should have.", labels: ["component"]),
    ]

    private static let upstreams: [MetricDescription] = [
        .init("mcp_upstream_duration_seconds", .histogram, "Time that upstreams took to answer requests.", labels: ["upstream"]),
        .init("mcp_upstream_up", .gauge, "1 while the upstream is ready for requests.", labels: ["upstream"]),
        .init("mcp_upstream_restarts_total", .counter, "Starts of the upstream after its first.", labels: ["upstream"]),
        .init("mcp_upstream_in_flight", .gauge, "Requests that wait for the upstream's answer.", labels: ["upstream"]),
        .init("mcp_upstream_queued_bytes", .gauge, "Bytes that wait to be written to the upstream.", labels: ["upstream"]),
    ]

    private static let store: [MetricDescription] = [
        .init("mcp_store_queue_operations", .gauge, "Operations that wait for the store."),
        .init("mcp_store_queue_bytes", .gauge, "Bytes of the operations that wait for the store."),
        .init("mcp_store_operations_total", .counter, "Operations that the store performed."),
        .init("mcp_store_batches_total", .counter, "Transactions of the store, of one or more operations."),
        .init("mcp_store_rejected_operations_total", .counter, "Operations refused because too many waited for the store."),
        .init("mcp_store_failed_operations_total", .counter, "Operations that the store could not perform."),
        .init("mcp_store_repeated_operations_total", .counter, "Operations sent to Redis again because the connection broke."),
        .init("mcp_store_breaker_open", .gauge, "1 while operations fail at once because Redis is away."),
        .init("mcp_store_backlog_operations", .gauge, "Sessions and changes of them that Redis is yet to get."),
        .init("mcp_store_rejected_backlog_total", .counter, "Changes refused because too many were kept for Redis."),
        .init("mcp_store_restored_sessions_total", .counter, "Sessions written again because Redis had lost them."),
    ]

    private static let cluster: [MetricDescription] = [
        .init("mcp_cluster_instances", .gauge, "Instances that are alive, this one included."),
        .init("mcp_cluster_homes", .gauge, "Sessions that are at home at this instance."),
        .init("mcp_cluster_fenced_operations_total", .counter, "Writes refused because the session is at home elsewhere."),
        .init("mcp_cluster_missed_heartbeats_total", .counter, "Signs of life that Redis did not take."),
        .init("mcp_cluster_missed_signals_total", .counter, "Times that signals of other instances were missed."),
        .init("mcp_redis_commands_total", .counter, "Commands sent to Redis."),
        .init("mcp_redis_reconnects_total", .counter, "Connections to Redis after the first."),
        .init("mcp_redis_failovers_total", .counter, "Times that another Redis became the master."),
    ]

    private static let logs: [MetricDescription] = [
        .init("mcp_log_lines_lost_total", .counter, "Log lines that could not be written."),
        .init(
            "mcp_child_stderr_lines_dropped_total", .counter, "Lines of a server's standard error that were not logged.",
            labels: ["upstream"]),
    ]
}
