import ArgumentParser
import AsyncHTTPClient
import EmbeddedStore
import Foundation
import GatewayConfiguration
import GatewayCore
import Logging
import MCPHTTPClient
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RESP
import Telemetry

/// `mcp-gateway doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check configuration, port, store and every server's handshake.",
        discussion: "Every finding says what to do. Exit code 0: nothing is wrong. 1: something is. 78: the configuration is.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print findings as JSON.")
    var json = false

    func run() async throws {
        LoggingBootstrap.bootstrap(format: .text, level: .error)
        let configuration: GatewayConfiguration
        do throws(ConfigurationError) {
            configuration = try options.loader().load()
        } catch {
            // Nothing else can be checked before the configuration is right.
            try? report(
                error.problems.map { .problem("configuration", "\($0)", advice: "correct it; docs/configuration.md has every key") })
            throw ExitCode(78)
        }
        var findings: [Finding] = []
        findings.append(
            .good(
                "configuration",
                configuration.source.map { "\($0) is valid" }
                    ?? "no file found; defaults are used (looked for \(ConfigurationLoader.defaultFileNames.joined(separator: ", ")))"))
        for warning in configuration.warnings { findings.append(.warning("configuration", warning, advice: "correct or remove it")) }
        findings.append(await checkPort(configuration.gateway))
        findings.append(await checkStore(configuration.gateway))
        findings += await checkServers(configuration)
        try report(findings)
    }

    /// One line of the report.
    private struct Finding: Codable {
        enum Level: String, Codable { case ok, warning, problem }
        let level: Level
        let subject: String
        let message: String
        let advice: String?

        static func good(_ subject: String, _ message: String) -> Finding {
            Finding(level: .ok, subject: subject, message: message, advice: nil)
        }
        static func warning(_ subject: String, _ message: String, advice: String) -> Finding {
            Finding(level: .warning, subject: subject, message: message, advice: advice)
        }
        static func problem(_ subject: String, _ message: String, advice: String) -> Finding {
            Finding(level: .problem, subject: subject, message: message, advice: advice)
        }
    }

    private func report(_ findings: [Finding]) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(findings), as: UTF8.self))
        } else {
            let isTerminal = isatty(STDOUT_FILENO) == 1 && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
            for finding in findings {
                let (mark, colour) =
                    switch finding.level {
                    case .ok: ("ok     ", "32")
                    case .warning: ("warning", "33")
                    case .problem: ("PROBLEM", "31")
                    }
                print("\(isTerminal ? "\u{1B}[\(colour)m\(mark)\u{1B}[0m" : mark)  \(finding.subject): \(finding.message)")
                if let advice = finding.advice { print("         → \(advice)") }
            }
        }
        if findings.contains(where: { $0.level == .problem }) { throw ExitCode(1) }
    }

    private func checkPort(_ settings: GatewaySettings) async -> Finding {
        do {
            let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
                .bind(host: settings.host, port: settings.port).get()
            try? await channel.close()
            return .good("port", "\(settings.host):\(settings.port) is free")
        } catch {
            return .warning(
                "port", "\(settings.host):\(settings.port) cannot be bound: \(error)",
                advice: "if that is a running gateway (`mcp-gateway health`), all is well; otherwise stop the other process or use --port")
        }
    }

    private func checkStore(_ settings: GatewaySettings) async -> Finding {
        switch settings.store.kind {
        case .embedded: break
        case .memory: return .good("store", "sessions are kept in memory and end with the process")
        case .redis: return await checkRedis(settings)
        }
        do throws(EmbeddedStoreError) {
            let store = try EmbeddedStore.open(
                directory: settings.store.dataDirectory, limits: EventLogLimits(), logger: Logger(label: "doctor"))
            store.close()
            return .good("store", "\(settings.store.dataDirectory) can be read and written")
        } catch {
            if case .inUse = error { return .good("store", "\(settings.store.dataDirectory) is in use by a running gateway") }
            return .problem(
                "store", "\(error)",
                advice: "make \(settings.store.dataDirectory) writable, or name another directory with --data-directory")
        }
    }

    /// What a user with too few rights is told: the gateway runs scripts on keys with its prefix. Nil while nothing is wrong, or Redis is away.
    private static func refusal(of client: RedisClient, keyPrefix: String) async -> String? {
        let script = RedisScript("redis.call('SET', KEYS[1], 'doctor', 'PX', 1000) return redis.call('DEL', KEYS[1])")
        do { _ = try await client.run(script, keys: [.text(keyPrefix + "doctor")], arguments: []) } catch RedisError.server(let answer) {
            return answer.message
        } catch {}
        return nil
    }

    /// Connects, logs in and looks whether Redis may throw sessions away.
    private func checkRedis(_ settings: GatewaySettings) async -> Finding {
        let advice = "check gateway.store.redis.url, that the server runs, and user and password"
        do {
            var redis = try RedisConfiguration(url: settings.store.redis.url?.text ?? "", caFile: settings.store.redis.caFile)
            let url = redis.description
            redis.commandTimeout = .seconds(3)
            let client = RedisClient(
                configuration: redis, eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
                logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
            let outcome: Result<RESPValue, any Error>
            do { outcome = .success(try await client.send(RedisCommand("CONFIG", "GET", "maxmemory-policy"))) } catch {
                outcome = .failure(error)
            }
            let refusal = await Self.refusal(of: client, keyPrefix: settings.store.redis.keyPrefix)
            let state = client.state
            await client.shutdown()
            if let refusal {
                return .problem("store", "\(url) answers, and does not let the gateway work: \(refusal)", advice: advice)
            }
            switch outcome {
            case .success(let policy) where "\(policy)".contains("allkeys"):
                return .warning(
                    "store", "\(url) answers, and evicts keys when its memory is full: sessions would be lost",
                    advice: "set maxmemory-policy to noeviction")
            // A user who may not ask for the configuration is no less welcome.
            case .success, .failure(RedisError.server): return .good("store", "sessions are kept in Redis: \(url) answers")
            case .failure(RedisError.refused(let reason)): return .problem("store", "\(url) refuses the gateway: \(reason)", advice: advice)
            case .failure(let error):
                return .problem("store", "\(url) does not answer: \(state.isConnected ? "\(error)" : state.description)", advice: advice)
            }
        } catch {
            return .problem("store", "\(error)", advice: advice)
        }
    }

    /// Starts every server, shakes hands and asks for its tools.
    private func checkServers(_ configuration: GatewayConfiguration) async -> [Finding] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let probe = StreamableHTTPClientConfiguration(url: "http://127.0.0.1")
        let client = HTTPClient(eventLoopGroup: group, configuration: probe.httpClientConfiguration)
        let factory = UpstreamFactory(settings: configuration.gateway, httpClient: client, logger: Logger(label: "doctor"))
        var findings: [Finding] = []
        for server in configuration.servers {
            guard !server.disabled else {
                findings.append(.good(server.name, "disabled"))
                continue
            }
            findings.append(await check(server, factory.definition(server), on: group))
        }
        if configuration.servers.isEmpty {
            findings.append(
                .warning(
                    "servers", "none is configured; only the built-in tools are served",
                    advice: "add \"mcpServers\" to mcp-gateway.json, or take over a client's file with `mcp-gateway import FILE`"))
        }
        try? await client.shutdown()
        try? await group.shutdownGracefully()
        return findings
    }

    private func check(
        _ server: ServerConfiguration, _ definition: UpstreamDefinition, on group: MultiThreadedEventLoopGroup
    ) async -> Finding {
        let owner = ProbeOwner(loop: group.next())
        let params = ByteBuffer(
            string:
                "{\"protocolVersion\":\"\(Revision.latestLegacy.rawValue)\",\"capabilities\":{},\"clientInfo\":{\"name\":\"mcp-gateway doctor\",\"version\":\"\(GatewayVersion.current)\"}}"
        )
        let peer = UpstreamPeer(
            name: server.name,
            settings: UpstreamPeerSettings(
                initializeParams: params, handshakeTimeout: definition.handshakeTimeout, maxInFlight: 8, restartsByItself: false,
                era: definition.era, probeTimeout: definition.probeTimeout),
            factory: definition.factory, eventLoop: group.next(), backoff: RestartBackoff(), logger: Logger(label: "doctor"), owner: owner)
        let started = ContinuousClock.now
        peer.start()
        defer { _ = peer }
        do {
            let info = try await owner.ready.futureResult.get()
            let milliseconds = (ContinuousClock.now - started) / .milliseconds(1)
            var text = "ready in \(Int(milliseconds)) ms, revision \(info.revision.rawValue)"
            if info.has("tools") {
                let tools = try await peer.request(method: "tools/list", params: nil).get()
                text += ", \(tools.json.elements(of: tools.json.member("tools", of: tools.result)).count) tools"
            }
            try? await peer.stop().get()
            return .good(server.name, text)
        } catch {
            try? await peer.stop().get()
            let advice =
                switch server.transport {
                case .stdio(let stdio):
                    "run `\(stdio.command)` by hand to see why; check command, args and env of mcpServers.\(server.name)"
                case .http(let http): "check that \(http.url) is an MCP endpoint (Streamable HTTP) and reachable from here"
                }
            return .problem(server.name, "\(error)", advice: advice)
        }
    }

    /// Waits for the first outcome of a server's start.
    private final class ProbeOwner: UpstreamPeerOwner {
        struct Failure: Error, CustomStringConvertible { let description: String }
        let ready: EventLoopPromise<UpstreamInfo>
        init(loop: any EventLoop) { ready = loop.makePromise() }
        func peerBecameReady(_ peer: UpstreamPeer, info: UpstreamInfo) { ready.succeed(info) }
        func peerWentDown(_ peer: UpstreamPeer, reason: String, willRestart: Bool) { ready.fail(Failure(description: reason)) }
        func peer(_ peer: UpstreamPeer, receivedRequest request: Message) {}
        func peer(_ peer: UpstreamPeer, receivedNotification notification: Message) {}
    }
}
