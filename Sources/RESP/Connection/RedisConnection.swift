import NIOCore
import NIOPosix
import NIOSSL

/// Whom a connection tells what happens on it; all on its event loop.
protocol RedisConnectionOwner: AnyObject {
    /// A reply or a push.
    func connection(_ connection: RedisConnection, received value: RESPValue)
    /// All that was read at once has been handed out.
    func connectionDidRead(_ connection: RedisConnection)
    /// Whether answers are due.
    func connectionIsExpecting(_ connection: RedisConnection) -> Bool
    /// Nothing came for a while: write a PING.
    func connectionWantsPing(_ connection: RedisConnection)
    /// The socket takes bytes again.
    func connectionBecameWritable(_ connection: RedisConnection)
    /// It is over. Called once, and only after it was ready.
    func connectionClosed(_ connection: RedisConnection, _ failure: ConnectFailure)
}

/// One connection: socket, encryption, handshake, parser and health check. Confined to its event loop.
final class RedisConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    struct Settings: Sendable {
        var handshake: Handshake.Settings
        var tls: RedisTLS?
        var connectTimeout: TimeAmount
        var pingInterval: TimeAmount
        var silenceLimit: TimeAmount
        var limits: RESPLimits
    }

    private enum Phase {
        case connecting
        case handshaking(Handshake)
        case ready
        case closed
    }

    let address: RedisAddress
    let eventLoop: any EventLoop
    weak var owner: (any RedisConnectionOwner)?
    private let settings: Settings
    private let counters: RedisCounters
    private var completion: ((Result<RedisConnection, ConnectFailure>) -> Void)?
    private var phase = Phase.connecting
    private var parser: RESPParser
    private var health: HealthCheck
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private(set) var isRESP3 = true
    private(set) var readySince: NIODeadline?

    private init(to address: RedisAddress, settings: Settings, counters: RedisCounters, eventLoop: any EventLoop) {
        self.address = address
        self.eventLoop = eventLoop
        self.settings = settings
        self.counters = counters
        parser = RESPParser(limits: settings.limits)
        health = HealthCheck(pingInterval: settings.pingInterval, silenceLimit: settings.silenceLimit, now: .now())
    }

    /// Connects and logs in. Must be called on the event loop, where `completion` is called once, unless ``close(_:)`` comes first.
    static func connect(
        to address: RedisAddress, settings: Settings, counters: RedisCounters, eventLoop: any EventLoop,
        completion: @escaping (Result<RedisConnection, ConnectFailure>) -> Void
    ) -> RedisConnection {
        let connection = RedisConnection(to: address, settings: settings, counters: counters, eventLoop: eventLoop)
        connection.completion = completion
        connection.connect()
        return connection
    }

    private func connect() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let settings = settings
        let host = address.host
        // The first timer bounds everything until the connection is ready.
        timer = eventLoop.run(in: settings.connectTimeout) { [weak self] in
            self?.close(ConnectFailure(.unreachable, "no answer in time"))
        }
        ClientBootstrap(group: eventLoop)
            .connectTimeout(settings.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = settings.tls {
                        // A certificate is checked against the name, or against the address where there is none.
                        let isIP = (try? SocketAddress(ipAddress: host, port: 0)) != nil
                        let handler = try NIOSSLClientHandler(context: tls.context, serverHostname: isIP ? nil : host)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(host: host, port: address.port)
            .assumeIsolated()
            .whenFailure { [self] error in
                ended(ConnectFailure(.unreachable, Self.reason(error)))
            }
    }

    /// Whether writing now would not only fill memory.
    var isWritable: Bool { channel?.isWritable ?? false }

    /// Writes commands that will be answered, without flushing.
    func write(_ bytes: ByteBuffer) {
        guard let channel else { return }
        health.wrote(now: .now())
        counters.add(bytesOut: bytes.readableBytes)
        channel.write(bytes, promise: nil)
    }

    func flush() { channel?.flush() }

    /// Ends it: the owner, or whoever waits for it to be ready, is told before this returns. The socket is closed behind it, because a
    /// frozen server can delay the end of TLS; an attempt to connect cannot be called off, and `channelActive` finds that it is too late.
    func close(_ reason: ConnectFailure) {
        let channel = channel
        self.channel = nil
        ended(reason)
        channel?.close(promise: nil)
    }

    // MARK: - ChannelInboundHandler

    func channelActive(context: ChannelHandlerContext) {
        guard case .connecting = phase else {
            context.close(promise: nil)
            return
        }
        channel = context.channel
        var handshake = Handshake(settings.handshake)
        send(handshake.start())
        phase = .handshaking(handshake)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data)
        counters.add(bytesIn: bytes.readableBytes)
        parser.append(bytes)
        do throws(RESPParserError) {
            while let value = try parser.next() { received(value) }
        } catch {
            close(ConnectFailure(.unreachable, error.description))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard case .ready = phase, let owner else { return }
        owner.connectionDidRead(self)
        health.read(now: .now(), isExpecting: owner.connectionIsExpecting(self) || parser.isInsideValue)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard case .ready = phase, context.channel.isWritable else { return }
        owner?.connectionBecameWritable(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        channel = nil
        ended(ConnectFailure(.unreachable, "the server closed the connection"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(ConnectFailure(.unreachable, Self.reason(error)))
        context.close(promise: nil)
    }

    // MARK: - Phases

    private func received(_ value: RESPValue) {
        switch phase {
        case .ready: owner?.connection(self, received: value)
        case .handshaking(var handshake):
            let action = handshake.received(value)
            phase = .handshaking(handshake)
            switch action {
            case .wait: break
            case .send(let commands): send(commands)
            case .ready: becameReady(handshake)
            case .fail(let failure): close(failure)
            }
        case .connecting, .closed: break
        }
    }

    private func becameReady(_ handshake: Handshake) {
        phase = .ready
        isRESP3 = handshake.isRESP3
        let now = NIODeadline.now()
        readySince = now
        health.read(now: now, isExpecting: false)
        let completion = completion
        self.completion = nil
        completion?(.success(self))
        checkHealth()
    }

    private func send(_ commands: [RedisCommand]) {
        for command in commands { write(command.bytes) }
        flush()
    }

    private func ended(_ reason: ConnectFailure) {
        let before = phase
        phase = .closed
        timer?.cancel()
        timer = nil
        switch before {
        case .connecting, .handshaking:
            let completion = completion
            self.completion = nil
            completion?(.failure(reason))
        case .ready: owner?.connectionClosed(self, reason)
        case .closed: break
        }
    }

    private func checkHealth() {
        timer?.cancel()
        timer = nil
        guard case .ready = phase, let owner else { return }
        var verdict = health.verdict(now: .now())
        if verdict == .ping {
            owner.connectionWantsPing(self)
            verdict = health.verdict(now: .now())
        }
        switch verdict {
        case .ping: again(in: settings.pingInterval)
        case .dead: close(ConnectFailure(.unreachable, "the server is silent for \(settings.silenceLimit.nanoseconds / 1_000_000) ms"))
        // Not later than the interval: an answer may come meanwhile, and silence begins anew then.
        case .wait(let until): again(in: min(until - .now(), settings.pingInterval))
        }
    }

    private func again(in delay: TimeAmount) {
        timer = eventLoop.run(in: max(delay, .milliseconds(1))) { [weak self] in self?.checkHealth() }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else { return "the host's name is not known" }
            return reason(first.error)
        case let error as IOError: return error.description
        case ChannelError.connectTimeout: return "no answer in time"
        case let error as NIOSSLError: return "TLS: \(error)"
        default: return "\(error)"
        }
    }
}
