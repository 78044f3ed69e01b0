public import GatewayCore
import Hummingbird
import HummingbirdCore
public import Logging
public import NIOCore
import NIOConcurrencyHelpers
public import ServiceLifecycle

/// What clients have open at one moment.
public struct HTTPFigures: Sendable, Hashable {
    public let connections: Int
    /// Requests that wait for their answer, or for the beginning of its stream.
    public let requests: Int
    /// SSE streams.
    public let streams: Int
}

/// The gateway's HTTP server. On graceful shutdown it takes no more connections, lets open exchanges finish within the drain time and
/// tells listening clients to reconnect.
public final class MCPHTTPServer: Service {
    /// How long clients have to take the last answers.
    private static let farewell = TimeAmount.seconds(1)

    private let context: MCPServerContext
    private let settings: HTTPTransportSettings
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let reports: OperatorReports
    private let onRunning: @Sendable (_ port: Int) async -> Void

    /// - Parameters:
    ///   - reports: what the routes for operators answer.
    ///   - onRunning: called with the port once the server listens.
    public init(
        gateway: Gateway, settings: HTTPTransportSettings, eventLoopGroup: any EventLoopGroup, logger: Logger,
        reports: OperatorReports, onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.settings = settings
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.reports = reports
        self.onRunning = onRunning
        context = MCPServerContext(
            gateway: gateway, settings: settings, hasMetrics: reports.metrics != nil, eventLoopGroup: eventLoopGroup, logger: logger)
    }

    /// What clients have open.
    public var figures: HTTPFigures {
        HTTPFigures(connections: context.load.connections, requests: context.load.requests, streams: context.load.streams)
    }

    public func run() async throws {
        let context = context
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: APIErrorMiddleware(logger: logger))
        OperatorRoutes.add(to: router, reports: reports)
        if settings.isAPIEnabled { APIRoutes(gateway: context.gateway, settings: settings).add(to: router) }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let onRunning = onRunning
        let application = Application(
            responder: router.buildResponder(),
            server: HTTPServerBuilder { responder in GatewayChildChannel(server: context, responder: responder) },
            configuration: .init(
                address: .hostname(settings.host, port: settings.port), serverName: nil, backlog: settings.backlog, reuseAddress: true),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(eventLoopGroup), logger: quiet)
        let limit = settings.drainTimeout
        let timers = NIOLockedValueBox<[Scheduled<Void>]>([])
        let loop = eventLoopGroup.next()
        let logger = logger
        try await withGracefulShutdownHandler {
            try await application.run()
        } onGracefulShutdown: {
            logger.info(
                "draining: no new connections, open requests may finish",
                metadata: [
                    "openRequests": "\(context.gateway.openExchangeCount)", "connections": "\(context.connectionCount)",
                    "seconds": "\(Double(limit.nanoseconds) / 1e9)",
                ])
            context.askListenersToReconnect()
            // First what is open gets its answer, then whoever does not take it is cut off.
            let abandon = loop.scheduleTask(in: limit) {
                let open = context.gateway.openExchangeCount
                logger.warning("drain time is over; open requests are answered with an error", metadata: ["openRequests": "\(open)"])
                context.gateway.abandonExchanges()
            }
            let close = loop.scheduleTask(in: limit + Self.farewell) { context.closeAll() }
            timers.withLockedValue { $0 = [abandon, close] }
        }
        for timer in timers.withLockedValue({ $0 }) { timer.cancel() }
    }
}
