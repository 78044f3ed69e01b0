import GatewayConfiguration
import GatewayCore
import HTTPTransport
import Metrics
import NIOCore
import Telemetry

/// The registry of the process's metrics, and where its figures come from. To be made before anything that records.
struct GatewayMetrics: Sendable {
    let registry: MetricsRegistry

    /// Nil when metrics are switched off: what is recorded then goes nowhere.
    init?(_ settings: GatewaySettings) {
        guard settings.metrics.enabled else { return nil }
        registry = MetricsRegistry(descriptions: MetricDescription.gateway + ProcessMetrics.descriptions)
        MetricsSystem.bootstrap(registry)
        LimitHits.prepare()
        let process = ProcessMetrics()
        registry.onCollect(process.collect)
        registry.onCollect { $0.counter("mcp_log_lines_lost_total", LoggingBootstrap.lostLines) }
        let build = [
            ("version", GatewayVersion.current), ("instance_id", settings.instanceID), ("colour", settings.colour ?? ""),
        ]
        registry.onCollect { $0.gauge("mcp_build_info", build, 1) }
    }

    /// What `/metrics` answers.
    func render(accept: String?) -> (contentType: String, body: ByteBuffer) {
        let format = ExpositionFormat(accept: accept)
        return (format.contentType, ByteBuffer(bytes: registry.render(format)))
    }

    /// Figures that others keep, read at each scrape.
    func watch(_ gateway: Gateway, _ stores: GatewayStores) {
        registry.onCollect { collection in
            collection.gauge("mcp_active_sessions", gateway.sessionsInMemory)
            collection.gauge("mcp_parked_exchanges", gateway.parkedExchangeCount)
            let upstreams = gateway.upstreamFigures
            for upstream in upstreams {
                let labels = [("upstream", upstream.name)]
                collection.gauge("mcp_upstream_up", labels, upstream.isReady ? 1 : 0)
                collection.gauge("mcp_upstream_in_flight", labels, upstream.inFlight)
                collection.gauge("mcp_upstream_queued_bytes", labels, upstream.queuedBytes)
            }
            collection.gauge("mcp_degraded", [("component", "upstream")], upstreams.contains { $0.failure != nil } ? 1 : 0)
            let health = stores.health()
            collection.gauge("mcp_degraded", [("component", "store")], health.store == nil ? 0 : 1)
            collection.gauge("mcp_degraded", [("component", "event_log")], health.eventLog == nil ? 0 : 1)
            stores.collect(collection)
        }
    }

    func watch(_ server: MCPHTTPServer) {
        registry.onCollect { [weak server] collection in
            guard let figures = server?.figures else { return }
            collection.gauge("http_connections", figures.connections)
            collection.gauge("http_requests_in_progress", figures.requests)
            collection.gauge("mcp_sse_connections", figures.streams)
        }
    }
}
