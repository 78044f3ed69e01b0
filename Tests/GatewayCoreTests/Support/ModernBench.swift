import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

/// A modern client: every request says who asks.
extension GatewayBench {
    /// The members of `_meta`.
    static func meta(capabilities: String = allCapabilities, logLevel: String? = nil, extra: String = "") -> String {
        let level = logLevel.map { #","io.modelcontextprotocol/logLevel":"\#($0)""# } ?? ""
        return
            #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":\#(capabilities),"io.modelcontextprotocol/clientInfo":{"name":"modern","version":"1"}\#(level)\#(extra)}"#
    }

    /// A request and where its events go.
    struct ModernCall {
        let sink: RecordingSink
        let exchange: ModernExchange
    }

    /// - Parameter params: raw members of `params` besides `_meta`, with a comma before them.
    func modern(
        _ method: String, _ params: String = "", id: String = "1", capabilities: String = allCapabilities, logLevel: String? = nil,
        extra: String = "", server: String? = nil
    ) throws -> ModernCall {
        let meta = Self.meta(capabilities: capabilities, logLevel: logLevel, extra: extra)
        let request = try message(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"\(method)\",\"params\":{\(meta)\(params.isEmpty ? "" : ",")\(params)}}")
        let sink = RecordingSink()
        let exchange = gateway.handleModern(
            request, metadata: try RequestMetadata(request), server: server, context: .none, sink: sink)
        settle()
        return ModernCall(sink: sink, exchange: exchange)
    }
}

extension RecordingSink {
    /// A member of the last result, raw.
    func result(_ key: StaticString) -> String? {
        messages.last.flatMap { message in
            message.json.slice(message.json.member(key, of: message.result)).map { String(buffer: $0) }
        }
    }

    /// A member of the last result, a string.
    func text(_ key: StaticString) -> String? {
        messages.last.flatMap { $0.json.string($0.json.member(key, of: $0.result)) }
    }
}
