import RedisServers
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import RESP

extension RedisServer {
    var address: RedisAddress { RedisAddress(host: "127.0.0.1", port: port) }
}

/// Runs a test with a client, which is shut down at its end.
func withClient<Result>(
    _ configuration: RedisConfiguration, logger: Logger = .quiet, _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    let client = RedisClient(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    do {
        let result = try await body(client)
        await client.shutdown()
        return result
    } catch {
        await client.shutdown()
        throw error
    }
}

/// As ``withClient(_:logger:_:)``, for a server.
func withClient<Result>(
    _ server: RedisServer, configure: (inout RedisConfiguration) -> Void = { _ in }, _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    var configuration = RedisConfiguration(target: .server(server.address))
    configuration.commandTimeout = .seconds(20)
    configure(&configuration)
    return try await withClient(configuration, body)
}

extension RedisClient {
    /// The answer to a command, as text.
    func text(_ command: RedisCommand) async throws -> String? { try await send(command).text }

    func int(_ command: RedisCommand) async throws -> Int64? { try await send(command).int }

    /// Waits until the client is connected.
    func connected(within seconds: Double = 10) async throws {
        try await eventually("a connection", within: seconds) { state.isConnected }
    }
}

/// The error that a command ends with.
func failure(_ body: () async throws -> RESPValue) async -> RedisError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? RedisError
    }
}

extension Logger {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Keeps every line with its metadata.
    static func recording(into recorder: Recorder<String>) -> Logger {
        var logger = Logger(label: "test") { _ in RecordingHandler(recorder: recorder) }
        logger.logLevel = .trace
        return logger
    }
}

private struct RecordingHandler: LogHandler {
    let recorder: Recorder<String>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        recorder.add("\(event.level) \(event.message) \(event.metadata ?? [:])")
    }
}
