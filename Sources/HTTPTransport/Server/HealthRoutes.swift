import Foundation
import Hummingbird
import MCPProtocol
import NIOCore

/// What `/health` says.
public struct HealthReport: Sendable, Codable {
    /// One upstream.
    public struct Upstream: Sendable, Codable {
        public var name: String
        /// `ready`, `starting` or `failed`.
        public var status: String
        public var reason: String?

        public init(name: String, status: String, reason: String?) {
            self.name = name
            self.status = status
            self.reason = reason
        }
    }

    /// `ok`, or `draining` while the process is on its way out.
    public var status: String
    public var version: String
    public var instance: String
    public var store: String
    public var sessionsInMemory: Int
    public var openExchanges: Int
    public var upstreams: [Upstream]

    public init(
        status: String, version: String, instance: String, store: String, sessionsInMemory: Int, openExchanges: Int, upstreams: [Upstream]
    ) {
        self.status = status
        self.version = version
        self.instance = instance
        self.store = store
        self.sessionsInMemory = sessionsInMemory
        self.openExchanges = openExchanges
        self.upstreams = upstreams
    }
}

/// Liveness for container checks and `mcp-gateway health`.
enum HealthRoutes {
    static func add(to router: Router<BasicRequestContext>, report: @escaping @Sendable () -> HealthReport, rules: MCPRequestRules) {
        router.get("/health") { request, _ in
            do throws(MCPRefusal) {
                try rules.checkOrigin(request.headers[.origin])
            } catch {
                throw HTTPError(.forbidden, message: error.error.message)
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let body = try encoder.encode(report())
            return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: body)))
        }
    }
}
