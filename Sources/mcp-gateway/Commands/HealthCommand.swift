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
        discussion: """
            Exit code 0: it serves, if need be with less than it should have. 1: it does not answer, or it is stopping.
            With --ready 0 means that it is fit for traffic: started, not stopping, and every required server is up.
            """)

    @Option(help: "Where the gateway listens.")
    var url = Self.defaultURL

    @Option(help: "Seconds to wait for the answer.")
    var timeout = 5

    @Flag(help: "Ask whether it is fit for traffic (/ready), not only whether it lives (/health).")
    var ready = false

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
        let result: Result<(status: UInt, body: ByteBuffer), any Error>
        do {
            let response = try await client.execute(HTTPClientRequest(url: address), timeout: .seconds(Int64(timeout)))
            result = .success((response.status.code, try await response.body.collect(upTo: 1 << 20)))
        } catch {
            result = .failure(error)
        }
        try? await client.shutdown()
        switch result {
        case .failure(let error):
            StandardError.print("no healthy gateway at \(url): \(error). Is it running? Start it with `mcp-gateway serve`.")
            throw ExitCode(1)
        case .success(let (status, body)):
            if json { print(String(buffer: body)) }
            let data = Data(body.readableBytesView)
            if ready, status == 200 || status == 503, let report = try? JSONDecoder().decode(ReadinessReport.self, from: data) {
                try tell(report)
            } else if !ready, status == 200, let report = try? JSONDecoder().decode(HealthReport.self, from: data) {
                try tell(report)
            } else {
                StandardError.print("\(address) answered HTTP status \(status); is that an mcp-gateway?")
                throw ExitCode(1)
            }
        }
    }

    private var address: String {
        let path = ready ? "/ready" : "/health"
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        return base.hasSuffix(path) ? base : base + path
    }

    private func tell(_ report: ReadinessReport) throws {
        if !json { print(report.ready ? "ready" : "not ready: \(report.reasons.joined(separator: "; "))") }
        if !report.ready { throw ExitCode(1) }
    }

    private func tell(_ report: HealthReport) throws {
        if !json {
            let colour = report.colour.map { ", colour \($0)" } ?? ""
            print("\(report.status) (version \(report.version), instance \(report.instance)\(colour), store \(report.store))")
            for (name, component) in report.components.sorted(by: { $0.key < $1.key }) {
                print("  \(name): \(component.status)\(component.detail.map { ": \($0)" } ?? "")")
            }
            for upstream in report.upstreams {
                print("  server \(upstream.name): \(upstream.status)\(upstream.reason.map { ": \($0)" } ?? "")")
            }
        }
        if report.status == "draining" { throw ExitCode(1) }
    }
}
