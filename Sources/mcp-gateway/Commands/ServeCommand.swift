import ArgumentParser
import Foundation
import GatewayConfiguration
import GatewayCore
import HTTPTransport
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `mcp-gateway serve`
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve MCP over HTTP (the default).",
        discussion: """
            Clients connect to http://HOST:PORT/mcp for all servers, or to /servers/NAME/mcp for one.
            The configuration file is watched: servers are added, changed and removed without a restart.
            SIGTERM and Ctrl-C let open requests finish, stop the servers and exit with 0.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Address to listen on.")
    var host: String?

    @Option(name: [.short, .long], help: "Port to listen on. 0 lets the system choose.")
    var port: Int?

    @Flag(help: "Listen on an address that other machines can reach, although clients are not authenticated.")
    var insecureAllowRemote = false

    func run() async throws {
        var overrides: [ConfigurationOverride] = []
        if let host { overrides.append(.init(flag: "--host", key: "host", value: host)) }
        if let port { overrides.append(.init(flag: "--port", key: "port", value: String(port))) }
        if insecureAllowRemote {
            overrides.append(.init(flag: "--insecure-allow-remote", key: "insecureAllowRemote", value: "true"))
        }
        let (loader, configuration) = try options.load(overrides: overrides)
        let log = configuration.gateway.log
        LoggingBootstrap.bootstrap(format: configuration.gateway.logFormat, level: log.level, rules: log.prefixRules)
        let logger = LogModule.gateway.logger
        // The source document's MCP_TRANSPORT chooses the transport where no command is named.
        if configuration.gateway.transport == .stdio {
            try await StdioCommand.serve(configuration: configuration, logger: logger)
        } else {
            try await Self.serve(configuration: configuration, loader: loader, logger: logger)
        }
    }

    static func serve(configuration: GatewayConfiguration, loader: ConfigurationLoader, logger: Logger) async throws {
        for warning in configuration.warnings { logger.warning("\(warning)") }
        OpenFileLimit.raise(for: configuration.gateway.limits.maxConnections, logger: logger)
        let runtime: GatewayRuntime
        do {
            runtime = try await GatewayRuntime(configuration: configuration, isDurable: true, logger: logger)
        } catch {
            StandardError.print("mcp-gateway cannot start: \(error)")
            throw ExitCode(1)
        }
        runtime.start()
        let settings = configuration.gateway.http
        let server = MCPHTTPServer(
            gateway: runtime.gateway, settings: settings, eventLoopGroup: runtime.eventLoopGroup, logger: LogModule.http.logger,
            reports: runtime.reports,
            onRunning: { port in
                logger.info(
                    "mcp-gateway is listening",
                    metadata: [
                        "url": "http://\(settings.host):\(port)/mcp", "version": "\(GatewayVersion.current)",
                        "servers": "\(configuration.enabledServers.map(\.name).joined(separator: ", "))",
                    ])
                runtime.logReadiness()
            })
        runtime.metrics?.watch(server)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: ConfigurationService(runtime: runtime, loader: loader)),
                    .init(
                        service: DrainingServer(server: server, gateway: runtime.gateway, limit: settings.drainTimeout),
                        failureTerminationBehavior: .gracefullyShutdownGroup),
                ], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger)))
        do {
            try await group.run()
        } catch {
            await runtime.stop()
            let explanation =
                "\(error)".contains("address already in use") || "\(error)".contains("errno: 98")
                ? "port \(settings.port) on \(settings.host) is in use; stop the other process or choose another with --port" : "\(error)"
            StandardError.print("mcp-gateway cannot serve: \(explanation)")
            throw ExitCode(1)
        }
        await runtime.stop()
        logger.info("mcp-gateway has stopped")
    }

    private static func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }
}

/// Serves until the gateway is to stop, then waits for open exchanges.
private struct DrainingServer: Service {
    let server: MCPHTTPServer
    let gateway: Gateway
    let limit: TimeAmount

    func run() async throws {
        let deadline = NIOLockedValueBox(NIODeadline.distantFuture)
        try await withGracefulShutdownHandler {
            try await server.run()
            // Exchanges whose clients left go on; what they bring is in the log when the client comes back.
            let left = deadline.withLockedValue { $0 } - .now()
            if left > .zero { await gateway.drain(within: min(left, limit)) }
            gateway.abandonExchanges()
        } onGracefulShutdown: {
            deadline.withLockedValue { $0 = .now() + limit }
            gateway.beginDraining()
        }
    }
}

/// Follows edits of the configuration file.
private struct ConfigurationService: Service {
    let runtime: GatewayRuntime
    let loader: ConfigurationLoader

    func run() async throws {
        await cancelWhenGracefulShutdown { await runtime.followConfiguration(loader: loader) }
    }
}
