import MCPProtocol
import NIOCore

/// A JSON-RPC id as a key: the same for every way to write the same string.
struct RequestKey: Hashable, Sendable {
    private let text: String

    init(string: String) {
        text = "\"" + string
    }

    init?(_ span: JSONSpan, in json: JSONText) {
        guard let raw = json.slice(span) else { return nil }
        self.text = json.string(span).map { "\"" + $0 } ?? String(buffer: raw)
    }
}
