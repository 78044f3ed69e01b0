import ArgumentParser
import Foundation
import GatewayConfiguration
import Logging
import ServiceLifecycle
import StdioTransport
import Telemetry
import UnixSignals

/// `mcp-gateway stdio`
struct StdioCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stdio", abstract: "Serve one client over standard input and output.",
        discussion: "The same gateway, for clients that start it themselves. Logs go to standard error. Ends when standard input ends.")

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let (_, configuration) = try options.load()
        let log = configuration.gateway.log
        LoggingBootstrap.bootstrap(format: configuration.gateway.logFormat, level: log.level, rules: log.prefixRules)
        try await Self.serve(configuration: configuration, logger: LogModule.gateway.logger)
    }

    static func serve(configuration: GatewayConfiguration, logger: Logger) async throws {
        let runtime: GatewayRuntime
        do {
            // One client, one process: there is nothing to come back to.
            runtime = try await GatewayRuntime(configuration: configuration, isDurable: false, logger: logger)
        } catch {
            StandardError.print("mcp-gateway cannot start: \(error)")
            throw ExitCode(1)
        }
        runtime.start()
        let server = StdioServer(gateway: runtime.gateway, maxLineBytes: configuration.gateway.limits.maxBodyBytes, logger: logger)
        let service = StdioService(server: server, runtime: runtime)
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        do {
            try await group.run()
        } catch {
            await runtime.stop()
            throw error
        }
        await runtime.stop()
    }
}

private struct StdioService: Service {
    let server: StdioServer
    let runtime: GatewayRuntime

    func run() async throws {
        let (server, runtime) = (server, runtime)
        try await cancelWhenGracefulShutdown {
            try await server.run(input: dup(STDIN_FILENO), output: dup(STDOUT_FILENO), on: runtime.eventLoopGroup)
        }
    }
}
