import FoundationEssentials
import GatewayCore
import NIOCore

/// `get-development-environment-status`: what of Git, Docker and the database a developer's tools can count on right now.
///
/// A part that is not there is a finding, not a failure: the result is never `isError` because of one.
struct EnvironmentStatusTool: BuiltinTool {
    let name = "get-development-environment-status"
    let definition = ByteBuffer(string: EnvironmentStatusTool.definitionJSON)

    private let overallTimeout: Duration
    private let clock: any Clock<Duration>
    private let now: @Sendable () -> Date
    private let git: SharedProbe<PartReport<GitDetails>>
    private let docker: SharedProbe<PartReport<DockerDetails>>
    private let database: SharedProbe<PartReport<DatabaseDetails>>

    init(
        settings: EnvironmentToolsSettings,
        eventLoopGroup: any EventLoopGroup,
        clock: any Clock<Duration> = ContinuousClock(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        overallTimeout = settings.overallTimeout
        self.clock = clock
        self.now = now
        let gitAdapter = GitAdapter(settings: settings)
        let gitTimeout = settings.gitTimeout
        git = SharedProbe {
            await firstResult(
                within: gitTimeout, clock: clock,
                onTimeout: .without(.error, "git did not finish within \(gitTimeout.text)"),
                operation: gitAdapter.report)
        }
        let dockerAdapter = DockerAdapter(settings: settings, eventLoopGroup: eventLoopGroup)
        let dockerTimeout = settings.dockerTimeout
        docker = SharedProbe {
            await firstResult(
                within: dockerTimeout, clock: clock,
                onTimeout: .without(
                    .unreachable, "the Docker Engine at \(settings.dockerSocketPath) did not answer within \(dockerTimeout.text)"),
                operation: dockerAdapter.report)
        }
        let databaseAdapter = DatabaseAdapter(settings: settings, eventLoopGroup: eventLoopGroup)
        let databaseTimeout = settings.databaseTimeout
        database = SharedProbe {
            await firstResult(
                within: databaseTimeout, clock: clock,
                onTimeout: databaseAdapter.timedOut,
                operation: databaseAdapter.report)
        }
    }

    func call(arguments: ByteBuffer?) async throws(BuiltinToolError) -> ByteBuffer {
        let arguments = try EnvironmentStatusArguments(json: arguments)
        let status = await status(arguments)
        do {
            return try CallToolResult(content: [.init(text: status.text)], structuredContent: status).json()
        } catch {
            throw .internalError("the environment status could not be written as JSON: \(error)")
        }
    }

    private func status(_ arguments: EnvironmentStatusArguments) async -> EnvironmentStatus {
        async let git = part(arguments.checkGit, probe: git)
        async let docker = part(arguments.checkDocker, probe: docker)
        async let database = part(arguments.checkDatabase, probe: database)
        return EnvironmentStatus(
            timestamp: now().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
            host: .current(), git: await git, docker: await docker, database: await database)
    }

    private func part<Details>(_ wanted: Bool, probe: SharedProbe<PartReport<Details>>) async -> PartReport<Details> {
        guard wanted else { return .notChecked }
        return await firstResult(
            within: overallTimeout, clock: clock,
            onTimeout: .without(.error, "the check did not finish within \(overallTimeout.text)"),
            operation: probe.report)
    }
}

/// The result of `tools/call` (MCP 2025-11-25, server/tools) as far as this toolset needs it.
private struct CallToolResult<Structured: Encodable>: Encodable {
    struct TextContent: Encodable {
        var type = "text"
        var text: String
    }

    var content: [TextContent]
    var structuredContent: Structured
    var isError = false

    func json() throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(self))
    }
}
