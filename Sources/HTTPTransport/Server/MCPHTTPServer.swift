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
    /// Requests whose answer is not complete; streams that only listen are none.
    public let requests: Int
    /// SSE streams.
    public let streams: Int
}

/// The gateway's HTTP server. On graceful shutdown it tells listening clients to reconnect, makes no more sessions and streams, and serves on
/// until the open exchanges have finished, at most for the drain time.
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
        // Not told of the shutdown before the drain is over: until then probes are answered and requests of sessions served.
        let listener = ServiceGroup(configuration: .init(services: [.init(service: application)], logger: quiet))
        let serving = Task.detached { try await listener.run() }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await serving.value
            } onCancel: {
                serving.cancel()
            }
        } onGracefulShutdown: {
            logger.info(
                "draining: no new sessions or streams, open requests may finish",
                metadata: [
                    "openRequests": "\(context.gateway.openExchangeCount)", "connections": "\(context.load.connections)",
                    "seconds": "\(Double(limit.nanoseconds) / 1e9)",
                ])
            context.askListenersToReconnect()
            Task {
                await context.gateway.drain(within: limit)
                await listener.triggerGracefulShutdown()
            }
            // First what is open gets its answer, then whoever does not take it is cut off.
            let abandon = loop.scheduleTask(in: limit) {
                let open = context.gateway.openExchangeCount
                logger.warning(
                    "drain time is over; open requests are answered with an error, or left to who can go on with them",
                    metadata: ["openRequests": "\(open)"])
                context.abandonExchanges()
            }
            let close = loop.scheduleTask(in: limit + Self.farewell) { context.closeAll() }
            timers.withLockedValue { $0 = [abandon, close] }
        }
        for timer in timers.withLockedValue({ $0 }) { timer.cancel() }
    }
}
