import ArgumentParser
import AsyncHTTPClient
import Foundation
import HTTPTransport
import NIOCore
import NIOHTTP1
import NIOPosix

/// `mcp-gateway health`
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a running gateway how it is; for container health checks.",
        discussion: "Exit code 0: it serves. 1: it does not answer, or it is stopping.")

    @Option(help: "Where the gateway listens.")
    var url = Self.defaultURL

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 5

    @Flag(help: "Print the answer as JSON.")
    var json = false

    private static var defaultURL: String {
        let port =
            ProcessInfo.processInfo.environment["MCP_SERVER_PORT"] ?? ProcessInfo.processInfo.environment["MCP_GATEWAY_PORT"] ?? "3001"
        return "http://127.0.0.1:\(port)"
    }

    func validate() throws {
        guard timeout > 0 else { throw ValidationError("--timeout must be at least 1 second") }
    }

    func run() async throws {
        let client = HTTPClient(eventLoopGroup: .singletonMultiThreadedEventLoopGroup)
        let report: HealthReport
        do {
            let base = url.hasSuffix("/") ? String(url.dropLast()) : url
            let response = try await client.execute(
                HTTPClientRequest(url: base.hasSuffix("/health") ? base : base + "/health"), timeout: .seconds(Int64(timeout)))
            let body = try await response.body.collect(upTo: 1 << 20)
            guard response.status == .ok else {
                try? await client.shutdown()
                StandardError.print("\(url) answered HTTP status \(response.status.code); is that an mcp-gateway?")
                throw ExitCode(1)
            }
            report = try JSONDecoder().decode(HealthReport.self, from: Data(body.readableBytesView))
            if json { print(String(buffer: body)) }
        } catch let code as ExitCode {
            throw code
        } catch {
            try? await client.shutdown()
            StandardError.print("no healthy gateway at \(url): \(error). Is it running? Start it with `mcp-gateway serve`.")
            throw ExitCode(1)
        }
        try? await client.shutdown()
        if !json {
            print("\(report.status) (version \(report.version), instance \(report.instance), store \(report.store))")
            for upstream in report.upstreams { print("  \(upstream.name): \(upstream.status)\(upstream.reason.map { ": \($0)" } ?? "")") }
        }
        if report.status != "ok" { throw ExitCode(1) }
    }
}
