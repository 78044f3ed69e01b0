import Foundation
import NIOHTTP1
import NIOPosix
import Testing

@testable import EnvironmentTools

/// No Docker Engine can run where these tests run, so a small HTTP server on a real Unix domain socket gives the answers that an
/// Engine 27 gives, shortened to the fields that matter and some that do not.
@Suite("Docker")
struct DockerTests {
    static let version = #"{"Platform":{"Name":"Docker Engine"},"Version":"27.3.1","ApiVersion":"1.47","Os":"linux","Arch":"amd64"}"#
    static let containers = """
        [{"Id":"aaaabbbbccccdddd","Names":["/old"],"Image":"busybox","State":"exited","Status":"Exited (0) 2 days ago","Ports":[]},
         {"Id":"1","Names":["/db","/web/db"],"Image":"postgres:15","State":"running","Status":"Up 2 hours (healthy)"},
         {"Id":"2","Names":["/web"],"Image":"nginx","State":"running","Status":"Up 3 seconds (health: starting)"},
         {"Id":"3","Names":["/plain"],"Image":"redis","State":"running","Status":"Up 3 seconds"}]
        """
    static let answers: [String: (HTTPResponseStatus, String)?] = [
        "/_ping": (.ok, "OK"), "/version": (.ok, version), "/containers/json?all=1": (.ok, containers),
    ]

    private func report(
        answers: [String: (HTTPResponseStatus, String)?], change: (inout EnvironmentToolsSettings) -> Void = { _ in }
    ) async throws -> PartReport<DockerDetails> {
        let folder = try TemporaryFolder()
        var settings = EnvironmentToolsSettings()
        settings.dockerSocketPath = folder.path + "/docker.sock"
        change(&settings)
        let server = try await LoopbackServer.http(socketPath: settings.dockerSocketPath, answers: answers)
        let report = await DockerAdapter(settings: settings, eventLoopGroup: MultiThreadedEventLoopGroup.singleton).report()
        await server.stop()
        return report
    }

    @Test("an Engine reports its version and its containers by state, running ones first, with their health")
    func available() async throws {
        let report = try await report(answers: Self.answers)
        #expect(report.status == .available)
        #expect(report.reason == nil)
        let details = try #require(report.details)
        #expect(details.version == "27.3.1")
        #expect(details.apiVersion == "1.47")
        let containers = try #require(details.containers)
        #expect(containers.total == 4)
        #expect(containers.byState == ["running": 3, "exited": 1])
        #expect(containers.listed.map(\.name) == ["db", "web", "plain", "old"])
        #expect(containers.listed.map(\.health) == [.healthy, .starting, nil, nil])
    }

    @Test("the list of names is bounded, the counts are not")
    func bounded() async throws {
        let report = try await report(answers: Self.answers) { $0.maximumContainers = 1 }
        #expect(report.details?.containers?.listed.map(\.name) == ["db"])
        #expect(report.details?.containers?.total == 4)
    }

    @Test("an Engine that refuses its list is available without containers and says why")
    func noList() async throws {
        var answers = Self.answers
        answers["/containers/json?all=1"] = (.forbidden, "{}")
        let report = try await report(answers: answers)
        #expect(report.status == .available)
        #expect(report.details?.containers == nil)
        #expect(report.reason?.contains("status 403") == true)
    }

    @Test("an answer beyond the limit is not read to its end")
    func bodyLimit() async throws {
        let report = try await report(answers: Self.answers) { $0.maximumDockerBodyBytes = 200 }
        #expect(report.status == .available)
        #expect(report.reason?.contains("larger than 200 bytes") == true)
    }

    @Test("something else behind the socket is an error, not a crash", arguments: ["[1]", "not JSON", ""])
    func nonsense(body: String) async throws {
        let report = try await report(answers: ["/_ping": (.ok, "OK"), "/version": (.ok, body)])
        #expect(report.status == .error)
    }

    @Test("a missing socket and one that nobody listens on are absences with a reason")
    func absent() async throws {
        let folder = try TemporaryFolder()
        var settings = EnvironmentToolsSettings()
        settings.dockerSocketPath = folder.path + "/docker.sock"
        let adapter = DockerAdapter(settings: settings, eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        let missing = await adapter.report()
        #expect(missing.status == .absent)
        #expect(missing.reason?.contains("no socket at \(settings.dockerSocketPath)") == true)
        try folder.write("not a socket", to: "docker.sock")
        let refused = await adapter.report()
        #expect(refused.status == .absent)
        #expect(refused.reason?.contains("nothing listens") == true)
    }
}
