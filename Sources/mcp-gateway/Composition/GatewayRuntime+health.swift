import GatewayConfiguration
import GatewayCore
import HTTPTransport
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// What the gateway says of its state.
extension GatewayRuntime {
    var reports: OperatorReports {
        var reports = OperatorReports(health: { self.healthReport }, readiness: { self.observedReadiness() }, metrics: nil)
        if let metrics { reports.metrics = { metrics.render(accept: $0) } }
        return reports
    }

    var healthReport: HealthReport {
        let settings = configuration.gateway
        let figures = gateway.upstreamFigures
        let down = figures.filter { $0.failure != nil }.map(\.name)
        let health = stores.health()
        let components = [
            "store": health.store.map { HealthReport.Component(status: "degraded", detail: $0) } ?? .init(status: "ok"),
            "event_log": health.eventLog.map { HealthReport.Component(status: "degraded", detail: $0) } ?? .init(status: "ok"),
            "upstreams": down.isEmpty
                ? .init(status: "ok") : .init(status: "degraded", detail: "not up: \(down.joined(separator: ", "))"),
        ]
        let isDegraded = components.values.contains { $0.status != "ok" }
        return HealthReport(
            status: gateway.isDraining ? "draining" : isDegraded ? "degraded" : "ok", version: GatewayVersion.current,
            instance: settings.instanceID, colour: settings.colour,
            uptimeSeconds: Int((NIODeadline.now() - startedAt).nanoseconds / 1_000_000_000), store: settings.store.kind.rawValue,
            sessionsInMemory: gateway.sessionsInMemory, openExchanges: gateway.openExchangeCount, components: components,
            upstreams: figures.map { upstream in
                let status = upstream.isReady ? "ready" : upstream.failure == nil ? "starting" : "failed"
                return .init(name: upstream.name, status: status, reason: upstream.failure, required: upstream.required)
            })
    }

    /// Logs when the gateway becomes ready, the first time and whenever it was not meanwhile: looks twice a second, and whenever `/ready` is
    /// asked for.
    func logReadiness() {
        eventLoopGroup.next().scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(500)) { [weak self] task in
            guard let self else { return task.cancel() }
            _ = observedReadiness()
        }
    }

    private func observedReadiness() -> ReadinessReport {
        let report = readinessReport
        if let arrival = readiness.withLockedValue({ $0.observe(report) }) {
            logger.info(
                arrival.isReturn ? "mcp-gateway is ready again" : "mcp-gateway is ready",
                metadata: arrival.missing.isEmpty ? [:] : ["missing": "\(arrival.missing.joined(separator: "; "))"])
        }
        return report
    }

    var readinessReport: ReadinessReport {
        var reasons: [String] = []
        if gateway.isDraining { reasons.append("the gateway is stopping") }
        if gateway.isDisplaced { reasons.append("another process runs as this instance (gateway.instanceID)") }
        let starting = gateway.startingUpstreams
        if !starting.isEmpty { reasons.append("servers are starting: \(starting.joined(separator: ", "))") }
        // Without a store that all share, no instance is better off than this one, and sessions go on at their homes.
        if stores.cluster == nil, let failure = stores.health().store { reasons.append("the store cannot write: \(failure)") }
        for upstream in gateway.upstreamFigures where upstream.required && !upstream.isReady {
            reasons.append("the required server \"\(upstream.name)\" is not up: \(upstream.failure ?? "it is starting")")
        }
        return ReadinessReport(reasons: reasons)
    }
}
