import Foundation
import HTTPTypes
import Hummingbird
public import NIOCore

/// What the routes for operators answer with; the composition root knows the parts.
public struct OperatorReports: Sendable {
    /// `/health`
    public var health: @Sendable () -> HealthReport
    /// `/ready`
    public var readiness: @Sendable () -> ReadinessReport
    /// `/metrics` for a value of `Accept`; nil when metrics are off.
    public var metrics: (@Sendable (_ accept: String?) -> (contentType: String, body: ByteBuffer))?

    public init(
        health: @escaping @Sendable () -> HealthReport, readiness: @escaping @Sendable () -> ReadinessReport,
        metrics: (@Sendable (_ accept: String?) -> (contentType: String, body: ByteBuffer))?
    ) {
        self.health = health
        self.readiness = readiness
        self.metrics = metrics
    }
}

/// `/health`, `/ready`, `/metrics`.
enum OperatorRoutes {
    static func add(to router: Router<BasicRequestContext>, reports: OperatorReports) {
        router.get("/health") { _, _ in try json(reports.health()) }
        router.get("/ready") { _, _ in
            let report = reports.readiness()
            return try json(report, status: report.ready ? .ok : .serviceUnavailable)
        }
        guard let metrics = reports.metrics else { return }
        router.get("/metrics") { request, _ in
            let (contentType, body) = metrics(request.headers[.accept])
            return Response(status: .ok, headers: [.contentType: contentType], body: .init(byteBuffer: body))
        }
    }

    private static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = ByteBuffer(bytes: try encoder.encode(value))
        return Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"], body: .init(byteBuffer: body))
    }
}
