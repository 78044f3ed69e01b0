import Foundation
import GatewayCore
import Logging
import NIOConcurrencyHelpers
public import NIOCore
import RESP
import RedisServers
import Testing

@testable import RedisStore

/// Stores over one server, with keys of their own.
struct Bench: Sendable {
    let server: RedisServer
    let prefix: String

    /// One for all tests that do not end it; each uses a prefix of its own.
    private static let shared = Result { try launched() }

    /// What it acknowledged survives its own end (not that of the machine).
    private static func launched() throws -> RedisServer {
        let server = try RedisServer { _ in ["appendonly yes", "appendfsync no"] }
        try server.launch()
        return server
    }

    /// - Parameter isOwn: a server that the test may end.
    init(isOwn: Bool = false) throws {
        server = isOwn ? try Self.launched() : try Self.shared.get()
        prefix = "t\(UUID().uuidString.prefix(8)):"
    }

    /// Times are short, so that tests see lapses.
    func open(
        _ name: String = "one", limits: EventLogLimits = EventLogLimits(), commandTimeout: Duration = .seconds(1),
        address: String = "http://127.0.0.1:1", logger: Logger = .quiet, _ change: (inout RedisStoreOptions) -> Void = { _ in }
    ) async throws -> RedisStore {
        var redis = RedisConfiguration(target: .server(RedisAddress(host: "127.0.0.1", port: server.port)))
        redis.commandTimeout = commandTimeout
        redis.reconnectBaseDelay = .milliseconds(10)
        redis.reconnectMaxDelay = .milliseconds(50)
        redis.pingInterval = .milliseconds(100)
        redis.silenceLimit = .seconds(1)
        var options = RedisStoreOptions()
        options.keyPrefix = prefix
        options.heartbeat = .milliseconds(50)
        options.lease = .seconds(1)
        options.recoveryTime = .seconds(1)
        options.secretWait = .zero
        // Sessions of tests were seen last in 1970.
        options.sessionTTL = .seconds(100 * 365 * 24 * 3600)
        change(&options)
        return try await RedisStore.open(
            redis: redis,
            instance: RedisStoreInstance(
                name: name, address: address, version: "1", colour: "blue", startedAt: GatewayClock.system.now()),
            limits: limits, options: options, logger: logger)
    }

    func run(_ body: @Sendable (RedisStore) async throws -> Void) async throws {
        let store = try await open()
        do {
            try await body(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }
}

extension Logger {
    static let quiet = Logger(label: "test") { label -> any LogHandler in
        // To see what a failing test's store says.
        if ProcessInfo.processInfo.environment["REDIS_STORE_LOG"] != nil { return StreamLogHandler.standardError(label: label) }
        return SwiftLogNoOpLogHandler()
    }
}

/// Writes down what is logged.
struct RecordingLog: LogHandler {
    private let box = NIOLockedValueBox<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    var messages: [String] { box.withLockedValue { $0 } }
    var logger: Logger { Logger(label: "test") { _ in self } }

    func log(event: LogEvent) { box.withLockedValue { $0.append("\(event.message)") } }
}

/// Waits until something is so.
func eventually(
    _ what: String, within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record("not in time: \(what)", sourceLocation: sourceLocation)
}

extension RedisStore {
    /// Runs a command beside the store.
    @discardableResult
    func raw(_ name: StaticString, _ arguments: RedisArgument...) async throws -> RESPValue {
        try await client.send(RedisCommand(name, arguments: arguments)).get()
    }

    func claim(_ id: SessionID, aliveSince: WallTime = WallTime(milliseconds: 0)) async throws -> HomeClaim {
        try await withCheckedThrowingContinuation { next in claim(id, aliveSince: aliveSince) { next.resume(with: $0) } }
    }
    func release(_ ids: [SessionID]) async throws {
        try await withCheckedThrowingContinuation { next in release(ids) { next.resume(with: $0) } }
    }
    func rememberTask(_ key: String, lifetime: Duration) async {
        await withCheckedContinuation { next in rememberTask(key, lifetime: lifetime) { next.resume() } }
    }
    func owner(ofTask key: String) async throws -> InstanceRecord? {
        try await withCheckedThrowingContinuation { next in owner(ofTask: key) { next.resume(with: $0) } }
    }

    /// Stops the heartbeats, as a frozen process does.
    func freeze() { directory.state.withLockedValue { $0.isFrozen = true } }
    func thaw() { directory.state.withLockedValue { $0.isFrozen = false } }
}

extension ByteBuffer: @retroactive ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self.init(string: value) }
}
