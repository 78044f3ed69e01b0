import NIOPosix
import Testing

@testable import EnvironmentTools

@Suite("Database")
struct DatabaseTests {
    private func report(port: Int?) async -> PartReport<DatabaseDetails> {
        var settings = EnvironmentToolsSettings()
        settings.database = port.map { .init(host: "127.0.0.1", port: $0) }
        return await DatabaseAdapter(settings: settings, eventLoopGroup: MultiThreadedEventLoopGroup.singleton).report()
    }

    @Test("S, N and an error message all prove PostgreSQL; only S means TLS", arguments: [("S", true), ("N", false), ("E", false)])
    func speaksPostgres(answer: String, tls: Bool) async throws {
        let server = try await LoopbackServer.tcp(answer: Array(answer.utf8))
        let port = server.port
        let report = await report(port: port)
        await server.stop()
        #expect(report.status == .available)
        #expect(report.details?.tls == tls)
        #expect(report.details?.port == port)
        #expect((report.details?.latencyMilliseconds ?? -1) >= 0)
    }

    @Test("a listener that speaks something else or hangs up is an error", arguments: ["HTTP/1.1 400 Bad Request", ""])
    func speaksSomethingElse(answer: String) async throws {
        let server = try await LoopbackServer.tcp(answer: Array(answer.utf8))
        let report = await report(port: server.port)
        await server.stop()
        #expect(report.status == .error)
        #expect(report.details == nil)
    }

    @Test("a closed port is unreachable, with the reason")
    func closedPort() async throws {
        let server = try await LoopbackServer.tcp(answer: nil)
        let port = server.port
        await server.stop()
        let report = await report(port: port)
        #expect(report.status == .unreachable)
        #expect(report.reason == "127.0.0.1:\(port): connection refused; nothing listens on this port")
    }

    @Test("no database in the configuration is not configured, an impossible port is an error")
    func configuration() async {
        #expect(await report(port: nil).status == .notConfigured)
        #expect(await report(port: 0).status == .error)
        #expect(await report(port: 70_000).status == .error)
    }
}
