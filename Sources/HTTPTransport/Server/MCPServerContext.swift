import GatewayCore
import Logging
import NIOCore

/// What all connections of the server share.
final class MCPServerContext: Sendable {
    let gateway: Gateway
    let settings: HTTPTransportSettings
    let rules: MCPRequestRules
    let logger: Logger
    private let loops: [ObjectIdentifier: NIOLoopBoundBox<LoopContext>]
    let load: RequestLoad
    /// Of HTTP+SSE.
    let streams = HTTPSSEStreams()
    /// Whether `/metrics` is served.
    let hasMetrics: Bool

    init(gateway: Gateway, settings: HTTPTransportSettings, hasMetrics: Bool, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        self.gateway = gateway
        self.settings = settings
        self.rules = MCPRequestRules(settings)
        self.logger = logger
        self.hasMetrics = hasMetrics
        load = RequestLoad(maxRequests: settings.maxConcurrentRequests, maxConnections: settings.maxConnections)
        var loops: [ObjectIdentifier: NIOLoopBoundBox<LoopContext>] = [:]
        let all = Array(eventLoopGroup.makeIterator())
        for (index, loop) in all.enumerated() {
            loops[ObjectIdentifier(loop)] = .makeBoxSendingValue(
                LoopContext(eventLoop: loop, settings: settings, load: load, index: index, count: all.count), eventLoop: loop)
        }
        self.loops = loops
    }

    /// The loop's own part. Must be called on the loop.
    func loopContext(for eventLoop: any EventLoop) -> LoopContext {
        loops[ObjectIdentifier(eventLoop)]?.value
            ?? LoopContext(eventLoop: eventLoop, settings: settings, load: load, index: 0, count: 1)
    }

    /// The gateway drains: listening clients are to come back, to another instance or to the next process.
    func askListenersToReconnect() {
        for loop in loops.values { loop.eventLoop.execute { loop.value.askListenersToReconnect() } }
    }

    /// What is open is answered with an error, or left to who can go on with it: the time to drain is over.
    func abandonExchanges() {
        gateway.abandonExchanges()
        for loop in loops.values { loop.eventLoop.execute { loop.value.abandonModern() } }
    }

    /// Closes what is left when the time to drain is over.
    func closeAll() {
        for loop in loops.values { loop.eventLoop.execute { loop.value.closeAll() } }
    }
}
