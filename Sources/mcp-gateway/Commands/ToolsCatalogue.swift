import MCPProtocol
import NIOCore

/// The tools of a server.
struct ToolsCatalogue {
    struct Tool {
        let json: JSONText
        let span: JSONSpan

        var name: String { json.string(json.member("name", of: span)) ?? "" }
        var description: String { json.string(json.member("description", of: span)) ?? json.string(json.member("title", of: span)) ?? "" }
        var schema: ToolsSchema { ToolsSchema(json: json, span: json.member("inputSchema", of: span)) }
        var raw: ByteBuffer? { json.slice(span) }
    }

    /// The bound for pages of one list: a server whose cursor never ends is cut off.
    private static let maxPages = 1000

    let tools: [Tool]

    /// Asks for all pages.
    static func load(_ client: ToolsClient, timeout: TimeAmount) async throws -> ToolsCatalogue {
        var tools: [Tool] = []
        var cursor: ByteBuffer?
        for _ in 0..<maxPages {
            var params: ByteBuffer?
            if let cursor {
                var buffer = ByteBuffer(string: "{\"cursor\":")
                buffer.writeImmutableBuffer(cursor)
                buffer.writeString("}")
                params = buffer
            }
            let answer = try await client.request("tools/list", params: params, timeout: timeout)
            let list = answer.json.member("tools", of: answer.result)
            tools += answer.json.elements(of: list).map { Tool(json: answer.json, span: $0) }
            let next = answer.json.member("nextCursor", of: answer.result)
            guard answer.json.string(next) != nil else { break }
            cursor = answer.json.slice(next)
        }
        return ToolsCatalogue(tools: tools)
    }

    /// The names nearest to `name`, best first, at most three.
    func nearest(to name: String) -> [String] {
        let wanted = name.lowercased()
        return tools.map(\.name)
            .map { candidate -> (name: String, distance: Int) in
                let lower = candidate.lowercased()
                // A name without its server's prefix is as good as a typing error.
                let isPart = wanted.count > 2 && (lower.contains(wanted) || wanted.contains(lower))
                return (candidate, isPart ? 1 : Self.distance(wanted, lower))
            }
            .filter { $0.distance <= max(2, name.count / 3) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(3).map(\.name)
    }

    /// The Levenshtein distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let cost = min(row[column] + 1, row[column + 1] + 1, diagonal + (character == right[column] ? 0 : 1))
                diagonal = row[column + 1]
                row[column + 1] = cost
            }
        }
        return row[right.count]
    }
}
