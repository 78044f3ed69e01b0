import MCPProtocol
import NIOCore

/// A JSON-RPC id as a dictionary key: raw JSON, so that `1` and `"1"` stay different.
enum RequestKey: Hashable, Sendable {
    case number(UInt64)
    case text(String)

    init(_ span: JSONSpan, in json: JSONText) {
        if let number = json.unsigned(span) {
            self = .number(number)
        } else {
            self = .text(json.slice(span).map { String(buffer: $0) } ?? "")
        }
    }
}
