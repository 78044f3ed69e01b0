import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// A request of the modern era has no session. What it needs of one while it is worked on is made for it: nothing of it is stored, nobody
/// can ask for it, and it ends with the request.
extension Session {
    /// - Parameters:
    ///   - metadata: what the request says of its client.
    ///   - server: the one server of the endpoint it came to; nil for all.
    convenience init(modern metadata: RequestMetadata, server: String?, gateway: Gateway) {
        var random = SystemRandomNumberGenerator()
        let now = gateway.clock.now()
        let record = SessionRecord(
            id: SessionID(high: random.next(), low: random.next()), clientID: Self.clientName(of: metadata), revision: metadata.revision,
            server: server, initializeParams: Self.initializeParams(of: metadata), createdAt: now, lastSeen: now)
        self.init(record: record, gateway: gateway)
        if let level = metadata.logLevel.flatMap(LogLevel.init(rawValue:)) { state.withLockedValue { $0.logLevel = level } }
    }

    /// Whether it was made for one modern request.
    var isModern: Bool { revision.era == .modern }

    /// What a legacy process that works for the request is initialised with: what the client declared.
    private static func initializeParams(of metadata: RequestMetadata) -> ByteBuffer {
        var params = ByteBuffer()
        params.reserveCapacity(metadata.clientCapabilities.readableBytes + (metadata.clientInfo?.readableBytes ?? 40) + 80)
        params.writeStaticString("{\"protocolVersion\":\"2025-11-25\",\"capabilities\":")
        params.writeImmutableBuffer(metadata.clientCapabilities)
        params.writeStaticString(",\"clientInfo\":")
        if let clientInfo = metadata.clientInfo {
            params.writeImmutableBuffer(clientInfo)
        } else {
            // `initialize` must name its client; a modern request need not.
            params.writeStaticString("{\"name\":\"unnamed\",\"version\":\"0\"}")
        }
        params.writeStaticString("}")
        return params
    }

    /// What a modern request's client calls itself; empty when it does not say.
    static func clientName(of metadata: RequestMetadata) -> String {
        guard let info = metadata.clientInfo, let json = try? JSONText(validating: info) else { return "" }
        return String((json.string(json.member("name", of: json.root)) ?? "").prefix(255))
    }
}
