import Foundation
import GatewayCore
import Telemetry
import Testing

/// `docs/metrics.md` and `docs/limits.md` agree with the code.
@Suite("The documentation for operators")
struct OperatorDocumentationTests {
    /// - Parameter section: the heading of the part that is meant; nil for all.
    private static func rows(_ name: String, section: String? = nil) throws -> [[String]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/\(name)"), encoding: .utf8)
        let sections = text.split(separator: "\n## ").filter { section.map($0.hasPrefix) ?? true }
        return sections.flatMap { $0.split(separator: "\n") }.filter { $0.hasPrefix("| `") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    private static func code(_ cell: String) -> String { cell.replacingOccurrences(of: "`", with: "") }

    @Test("lists every metric with its type, labels and meaning, and no other")
    func metrics() throws {
        let described = MetricDescription.gateway + ProcessMetrics.descriptions
        let expected = Set(
            described.map { metric in
                let labels = metric.labels.map { "`\($0)`" }.joined(separator: ", ")
                return ["`\(metric.name)`", metric.kind.rawValue, labels.isEmpty ? "–" : labels, metric.help]
            })
        let found = Set(try Self.rows("metrics.md").filter { $0.count == 4 })
        #expect(found.subtracting(expected).isEmpty, "documented and not there: \(found.subtracting(expected))")
        #expect(expected.subtracting(found).isEmpty, "not documented: \(expected.subtracting(found))")
    }

    @Test("lists every limit that is counted, and no other")
    func limits() throws {
        let found = try Self.rows("limits.md", section: "Counted").map { Self.code($0[0]) }
        #expect(Set(found) == Set(LimitKey.allCases.map(\.rawValue)))
        #expect(found.count == LimitKey.allCases.count)
    }
}
