public import Logging
import NIOConcurrencyHelpers
public import NIOCore

/// A client of one Redis server, or of the master that sentinels name.
///
/// Commands of all callers share one connection and are sent together, one flush for everything that came in one turn of the event loop. Answers
/// come in the order of the calls; only commands that the server refused without executing them are sent again, later. What may have been
/// executed is never sent twice: it fails with ``RedisError/connectionLost(wasSent:)``.
///
/// Commands that change the state of the connection (`MULTI`, `SELECT`, `SUBSCRIBE`, `CLIENT REPLY`) or that block do not belong here.
public final class RedisClient: Sendable {
    public let configuration: RedisConfiguration
    /// Where commands are completed, messages delivered and state changes told.
    public let eventLoop: any EventLoop
    let shared: RedisClientShared
    private let core: NIOLoopBoundBox<RedisClientCore>

    /// Begins to connect. ``shutdown()`` must be called before the client is dropped.
    /// - Parameter logger: gets connections, losses and failovers, at `info` and `warning`; never credentials or arguments of commands.
    public init(configuration: RedisConfiguration, eventLoopGroup: any EventLoopGroup, logger: Logger) {
        self.configuration = configuration
        eventLoop = eventLoopGroup.next()
        let shared = RedisClientShared()
        self.shared = shared
        let core = RedisClientCore(configuration: configuration, eventLoop: eventLoop, shared: shared, logger: logger)
        self.core = NIOLoopBoundBox.makeBoxSendingValue(core, eventLoop: eventLoop)
        eventLoop.execute { [box = self.core] in box.value.start() }
    }

    /// Sends a command. The future completes on ``eventLoop``, with what the server answered or a ``RedisError``; an error that the server
    /// answered is `RedisError.server`.
    /// - Parameter timeout: until the answer, reconnects included; nil is ``RedisConfiguration/commandTimeout``.
    public func send(_ command: RedisCommand, timeout: Duration? = nil) -> EventLoopFuture<RESPValue> {
        submit(command, script: nil, timeout: timeout)
    }

    /// As ``send(_:timeout:)-(RedisCommand,_)``. The end of the task that waits does not call the command off.
    public func send(_ command: RedisCommand, timeout: Duration? = nil) async throws -> RESPValue {
        try await withCheckedThrowingContinuation { continuation in
            submit(pending(command, script: nil, timeout: timeout, reply: .continuation(continuation)))
        }
    }

    /// Runs a script by its digest. The script is loaded before it runs first on a connection, and again if the server forgot it; the order of the
    /// calls is kept.
    public func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], timeout: Duration? = nil
    ) -> EventLoopFuture<RESPValue> {
        submit(script.command(keys: keys, arguments: arguments), script: script, timeout: timeout)
    }

    /// As ``run(_:keys:arguments:timeout:)-(_,_,_,_)``.
    public func run(_ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], timeout: Duration? = nil) async throws
        -> RESPValue
    {
        let command = script.command(keys: keys, arguments: arguments)
        return try await withCheckedThrowingContinuation { continuation in
            submit(pending(command, script: script, timeout: timeout, reply: .continuation(continuation)))
        }
    }

    /// Whether the server can be reached, now.
    public var state: RedisClientState { shared.state.withLockedValue { $0.state } }

    /// Tells every change of ``state`` from now on, on ``eventLoop``, until the client is shut down.
    public func onStateChange(_ handler: @escaping @Sendable (RedisClientState) -> Void) {
        shared.state.withLockedValue { $0.handlers.append(handler) }
    }

    /// What the client has done.
    public var statistics: RedisStatistics { shared.counters.statistics }

    /// Refuses new commands, waits for the answers to those that were taken (until their deadlines at most; not while there is no
    /// connection), ends subscriptions and closes the connections.
    public func shutdown() async {
        let promise = eventLoop.makePromise(of: Void.self)
        shared.mailbox.withLockedValue { $0.isShutDown = true }
        eventLoop.execute { [core] in core.value.shutdown(promise) }
        // Never fails.
        try? await promise.futureResult.get()
    }

    func withCore(_ body: @escaping @Sendable (RedisClientCore) -> Void) {
        eventLoop.execute { [core] in body(core.value) }
    }

    // MARK: - Submission

    private func submit(_ command: RedisCommand, script: RedisScript?, timeout: Duration?) -> EventLoopFuture<RESPValue> {
        let promise = eventLoop.makePromise(of: RESPValue.self)
        submit(pending(command, script: script, timeout: timeout, reply: .promise(promise)))
        return promise.futureResult
    }

    private func pending(
        _ command: RedisCommand, script: RedisScript?, timeout: Duration?, reply: PendingCommand.Reply
    ) -> PendingCommand {
        let deadline = NIODeadline.now() + TimeAmount(timeout ?? configuration.commandTimeout)
        return PendingCommand(bytes: command.bytes, deadline: deadline, reply: reply, script: script)
    }

    private func submit(_ command: PendingCommand) {
        let bytes = command.bytes.readableBytes
        if let limit = shared.counters.admit(
            bytes: bytes, maxCommands: configuration.maxQueuedCommands, maxBytes: configuration.maxQueuedBytes)
        {
            command.reply?.complete(.failure(.queueFull(limit: limit)))
            return
        }
        enum Outcome { case refused, joined, first }
        let outcome = shared.mailbox.withLockedValue { mailbox -> Outcome in
            guard !mailbox.isShutDown else { return .refused }
            mailbox.commands.append(command)
            defer { mailbox.isScheduled = true }
            return mailbox.isScheduled ? .joined : .first
        }
        switch outcome {
        case .joined: break
        case .first: eventLoop.execute { [core] in core.value.takeSubmitted() }
        case .refused:
            shared.counters.release(bytes: bytes)
            shared.counters.increment(.failures)
            command.reply?.complete(.failure(.shutdown))
        }
    }
}

/// What a client and its core share between threads.
final class RedisClientShared: Sendable {
    struct Mailbox {
        /// In the order of the calls.
        var commands: [PendingCommand] = []
        /// Whether the event loop is going to take them.
        var isScheduled = false
        var isShutDown = false
    }

    struct State {
        var state = RedisClientState.connecting
        var handlers: [@Sendable (RedisClientState) -> Void] = []
    }

    let mailbox = NIOLockedValueBox(Mailbox())
    let state = NIOLockedValueBox(State())
    let counters = RedisCounters()
}

extension RedisScript {
    func command(keys: [RedisArgument], arguments: [RedisArgument]) -> RedisCommand {
        RedisCommand("EVALSHA", arguments: [.text(digest), .integer(keys.count)] + keys + arguments)
    }
}
