import GatewayCore
import NIOCore
import NIOHTTP1
import NIOPosix

/// The connections of one event loop to other instances. Confined to the loop.
final class PeerPool {
    /// How long to wait for a connection.
    private static let connectTimeout = TimeAmount.seconds(1)
    /// How long what was sent may go without the other machine's acknowledgement. Where packets vanish the connection would otherwise stand, and
    /// the request wait, for as long as TCP repeats itself: many minutes.
    private static let acknowledgementTimeout = TimeAmount.seconds(3)
    /// Shorter than what any instance waits before it closes an idle connection: a request on one that is just being closed would be lost.
    private let idleTime: TimeAmount
    /// Idle connections to one instance.
    private static let maxIdle = 256

    /// TCP_USER_TIMEOUT (RFC 5482; Linux: tcp(7)), in milliseconds.
    private static let userTimeout = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT))

    private let eventLoop: any EventLoop
    private var idle: [InstanceAddress: [PeerConnection]] = [:]

    /// - Parameter peerIdleTimeout: when the other instances, which have the same configuration, close an idle connection.
    init(eventLoop: any EventLoop, peerIdleTimeout: TimeAmount) {
        self.eventLoop = eventLoop
        idleTime = min(.seconds(10), .nanoseconds(peerIdleTimeout.nanoseconds / 2))
    }

    /// Hands a connection over, at once when one is idle.
    func withConnection(to address: InstanceAddress, _ body: @escaping (Result<PeerConnection, any Error>) -> Void) {
        while let connection = idle[address]?.popLast() {
            guard connection.isOpen else { continue }
            guard NIODeadline.now() - connection.idleSince < idleTime else {
                connection.cancel()
                continue
            }
            return body(.success(connection))
        }
        let connection = NIOLoopBound(PeerConnection(pool: self, address: address), eventLoop: eventLoop)
        let completion = NIOLoopBound(body, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(Self.userTimeout, value: .init(Self.acknowledgementTimeout.nanoseconds / 1_000_000))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .whenComplete { result in completion.value(result.map { _ in connection.value }) }
    }

    func putBack(_ connection: PeerConnection, address: InstanceAddress) {
        guard idle[address, default: []].count < Self.maxIdle else { return connection.cancel() }
        idle[address, default: []].append(connection)
    }

    /// Closes what was not used for long.
    func closeIdle(now: NIODeadline) {
        for (address, connections) in idle {
            let late = connections.prefix { now - $0.idleSince >= idleTime }
            guard !late.isEmpty else { continue }
            idle[address] = Array(connections.dropFirst(late.count))
            for connection in late { connection.cancel() }
        }
    }

    func closeAll() {
        for connection in idle.values.joined() { connection.cancel() }
        idle.removeAll()
    }
}
