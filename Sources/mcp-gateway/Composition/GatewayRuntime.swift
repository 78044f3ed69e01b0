import AsyncHTTPClient
import CStartupPages
import EnvironmentTools
import Foundation
import GatewayConfiguration
import GatewayCore
import Logging
import MCPHTTPClient
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Telemetry
import Upstreams

/// Everything that `serve` and `stdio` have in common, wired together.
final class GatewayRuntime: Sendable {
    let configuration: GatewayConfiguration
    let eventLoopGroup: MultiThreadedEventLoopGroup
    let stores: GatewayStores
    let httpClient: HTTPClient
    let gateway: Gateway
    let upstreams: UpstreamFactory
    let logger: Logger
    let metrics: GatewayMetrics?
    let startedAt = NIODeadline.now()
    /// What the log has told of `/ready`.
    let readiness = NIOLockedValueBox(ReadinessHistory())

    /// - Parameter isDurable: false keeps sessions in memory, whatever the configuration says.
    init(configuration: GatewayConfiguration, isDurable: Bool, logger: Logger) async throws {
        let settings = configuration.gateway
        // Early: the guard is a fork, and what the gateway has in memory by then it keeps.
        if configuration.enabledServers.contains(where: { if case .stdio = $0.transport { true } else { false } }) {
            _ = ProcessGuard.shared.ensureRunning(logger: LogModule.upstream.logger)
        }
        self.configuration = configuration
        self.logger = logger
        // Before anything that records.
        metrics = GatewayMetrics(settings)
        eventLoopGroup = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
        stores = try await GatewayStores.open(settings, isDurable: isDurable, eventLoopGroup: eventLoopGroup)
        let authority = SessionIDAuthority(key: stores.signingKey, hint: stores.homeHint)
        let probe = StreamableHTTPClientConfiguration(url: "http://127.0.0.1")
        httpClient = HTTPClient(eventLoopGroup: eventLoopGroup, configuration: probe.httpClientConfiguration)
        let builtins =
            settings.environmentTools.enabled
            ? EnvironmentTools.tools(settings: settings.environment, eventLoopGroup: eventLoopGroup) : []
        gateway = Gateway(
            settings: settings.core, sessions: stores.sessions, events: stores.events, cluster: stores.cluster, authority: authority,
            clock: stores.clock, builtins: builtins,
            eventLoopGroup: eventLoopGroup, logger: LogModule.core.logger, upstreamLogger: LogModule.upstream.logger)
        upstreams = UpstreamFactory(settings: settings, httpClient: httpClient, logger: LogModule.upstream.logger)
        metrics?.watch(gateway, stores)
    }

    /// Starts upstreams and the periodic work.
    func start() {
        gateway.start()
        gateway.setUpstreams(upstreams.definitions(configuration.servers))
        // Starting takes far more code than serving does.
        eventLoopGroup.next().scheduleTask(in: .seconds(1)) { startup_pages_release() }
    }

    /// Ends everything, upstreams first, the store last.
    func stop() async {
        await gateway.shutdown()
        try? await httpClient.shutdown()
        await stores.close()
        try? await eventLoopGroup.shutdownGracefully()
    }

    /// Applies edits of the configuration file until the task is cancelled.
    func followConfiguration(loader: ConfigurationLoader) async {
        var current = configuration
        for await event in ConfigurationWatcher(loader, source: configuration.source) {
            switch event {
            case .changed(let new):
                let diff = ConfigurationDiff(from: current, to: new)
                guard !diff.isEmpty else { continue }
                if diff.logLevelsChanged {
                    LoggingBootstrap.apply(default: new.gateway.log.level, rules: new.gateway.log.prefixRules)
                }
                logger.info(
                    "configuration changed",
                    metadata: [
                        "added": "\(diff.added.map(\.name))", "removed": "\(diff.removed.map(\.name))",
                        "changed": "\(diff.changed.map(\.new.name))",
                    ])
                if let warning = diff.restartWarning { logger.warning("\(warning)") }
                gateway.setUpstreams(upstreams.definitions(new.servers))
                current = new
            case .refused(let error):
                logger.error("the edited configuration is refused; the old one stays in use", metadata: ["problems": "\(error)"])
            }
        }
    }
}
