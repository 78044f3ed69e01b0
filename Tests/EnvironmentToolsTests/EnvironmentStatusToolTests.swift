import Foundation
import GatewayCore
import NIOCore
import NIOPosix
import Testing

@testable import EnvironmentTools

@Suite("get-development-environment-status")
struct EnvironmentStatusToolTests {
    private func tool(_ change: (inout EnvironmentToolsSettings) -> Void = { _ in }) throws -> any BuiltinTool {
        var settings = EnvironmentToolsSettings()
        settings.repositoryPath = "/nowhere"
        settings.dockerSocketPath = "/nowhere/docker.sock"
        // Long enough for a machine that is busy with other tests; tests of the limits set their own.
        (settings.gitTimeout, settings.dockerTimeout, settings.databaseTimeout) = (.seconds(60), .seconds(60), .seconds(60))
        settings.overallTimeout = .seconds(120)
        change(&settings)
        return try #require(EnvironmentTools.tools(settings: settings).first)
    }

    /// Calls, checks the result's form, and returns `structuredContent`.
    private func status(_ tool: any BuiltinTool, arguments: String? = nil) async throws -> JSONValue {
        let result = try JSONValue(await tool.call(arguments: arguments.map { ByteBuffer(string: $0) }))
        #expect(result["isError"] == .bool(false))
        #expect(result["content"]?.array?.count == 1)
        #expect(result["content"]?.array?.first?["type"] == .string("text"))
        #expect(result["content"]?.array?.first?["text"]?.string?.contains("Docker: ") == true)
        let structured = try #require(result["structuredContent"])
        let schema = try #require(try JSONValue(tool.definition)["outputSchema"])
        #expect(structured.violations(of: schema) == [])
        return structured
    }

    @Test("the definition names the tool and describes closed objects")
    func definition() throws {
        let tool = try tool()
        let definition = try JSONValue(tool.definition)
        #expect(definition["name"] == .string(tool.name))
        #expect(tool.name == "get-development-environment-status")
        #expect(definition["inputSchema", "type"] == .string("object"))
        #expect(definition["inputSchema", "properties"]?.object?.keys.sorted() == EnvironmentStatusArguments.names)
        #expect(definition["annotations", "readOnlyHint"] == .bool(true))
    }

    @Test("with everything there, all parts are available and fit the output schema")
    func everything() async throws {
        let folder = try TemporaryFolder()
        try folder.git("init", "-b", "main")
        try folder.git("commit", "--allow-empty", "-m", "First")
        let socket = folder.path + "/d.sock"
        let docker = try await LoopbackServer.http(socketPath: socket, answers: DockerTests.answers)
        let database = try await LoopbackServer.tcp(answer: Array("N".utf8))
        let tool = try tool {
            $0.repositoryPath = folder.path
            $0.dockerSocketPath = socket
            $0.database = .init(host: "127.0.0.1", port: database.port)
        }
        let status = try await status(tool, arguments: "{}")
        await docker.stop()
        await database.stop()
        for part in ["git", "docker", "database"] { #expect(status[part, "status"] == .string("available"), "\(part)") }
        #expect(status["git", "details", "head", "subject"] == .string("First"))
        #expect(status["docker", "details", "containers", "total"] == .number(4))
        #expect((status["host", "cpus"]?.number ?? 0) >= 1)
        let timestamp = try #require(status["timestamp"]?.string)
        let time = try Date(timestamp, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(abs(time.timeIntervalSinceNow) < 60)
    }

    @Test("with nothing there, the call still succeeds and each part says why it is missing")
    func nothing() async throws {
        let status = try await status(try tool())
        #expect(status["git", "status"] == .string("absent"))
        #expect(status["docker", "status"] == .string("absent"))
        #expect(status["database", "status"] == .string("not_configured"))
        for part in ["git", "docker", "database"] { #expect(status[part, "reason"]?.string?.isEmpty == false, "\(part)") }
    }

    @Test("a switched-off check is not made and says so")
    func switchedOff() async throws {
        let status = try await status(try tool(), arguments: #"{"checkGit":false,"checkDocker":false,"checkDatabase":true}"#)
        #expect(status["git", "status"] == .string("not_checked"))
        #expect(status["docker", "status"] == .string("not_checked"))
        #expect(status["database", "status"] == .string("not_configured"))
    }

    @Test(
        "wrong arguments are refused with -32602 that names the argument",
        arguments: [
            (#"{"checkGit":"yes"}"#, "checkGit"), (#"{"checkDocker":1}"#, "checkDocker"), (#"{"checkDatabase":null}"#, "checkDatabase"),
            (#"{"checkRedis":true}"#, "checkRedis"), ("[]", "JSON object"), ("{", "JSON object"),
        ])
    func wrongArguments(arguments: String, named: String) async throws {
        let tool = try tool()
        let error = await #expect(throws: BuiltinToolError.self) { try await tool.call(arguments: ByteBuffer(string: arguments)) }
        #expect(error?.code == -32602)
        #expect(error?.message.contains(named) == true)
    }

    @Test("silent systems are cut off at their time limits, side by side")
    func stalled() async throws {
        let folder = try TemporaryFolder()
        let socket = folder.path + "/d.sock"
        let docker = try await LoopbackServer.http(socketPath: socket, answers: ["/_ping": nil])
        let database = try await LoopbackServer.tcp(answer: nil)
        let tool = try tool {
            $0.dockerSocketPath = socket
            $0.dockerTimeout = .milliseconds(300)
            $0.database = .init(host: "127.0.0.1", port: database.port)
            $0.databaseTimeout = .milliseconds(300)
        }
        let status = try await status(tool)
        await docker.stop()
        await database.stop()
        #expect(status["docker", "status"] == .string("unreachable"))
        #expect(status["docker", "reason"]?.string?.contains("within 300 ms") == true)
        #expect(status["database", "status"] == .string("unreachable"))
        #expect(status["database", "reason"]?.string?.contains("within 300 ms") == true)
    }

    @Test("the whole call is bounded even when the parts' own limits are longer")
    func overall() async throws {
        let database = try await LoopbackServer.tcp(answer: nil)
        let tool = try tool {
            $0.database = .init(host: "127.0.0.1", port: database.port)
            $0.databaseTimeout = .seconds(60)
            $0.overallTimeout = .milliseconds(200)
        }
        let status = try await status(tool, arguments: #"{"checkGit":false,"checkDocker":false}"#)
        await database.stop()
        #expect(status["database", "status"] == .string("error"))
        #expect(status["database", "reason"]?.string?.contains("within 200 ms") == true)
    }

    @Test("many callers at once share one running probe and one that is due")
    func sharing() async throws {
        let started = Counter()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let probe = SharedProbe<Int> {
            let number = await started.next()
            if number == 1 { for await _ in gate { break } }
            return number
        }
        let first = Task { await probe.report() }
        let deadline = ContinuousClock.now + .seconds(60)
        while await started.count == 0, ContinuousClock.now < deadline { await Task.yield() }
        let results = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { await probe.report() } }
            group.addTask {
                open.yield()
                return 0
            }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(await first.value == 1)
        // Callers that came after the second probe began are due for another; none got the first one's result.
        #expect(!results.contains(1))
        #expect(await started.count <= 21)
    }
}

private actor Counter {
    private(set) var count = 0

    func next() -> Int {
        count += 1
        return count
    }
}
