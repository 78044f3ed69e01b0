/// How metrics are written for a scraper.
public enum ExpositionFormat: Sendable, Hashable, CaseIterable {
    /// Prometheus's text format 0.0.4.
    case text
    /// OpenMetrics 1.0.
    case openMetrics

    /// For the `Content-Type` field.
    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// Chooses by an `Accept` field (RFC 9110, section 12.5.1): the format with the higher quality, and among equals the one that is
    /// named more exactly. `text` when that does not decide, when there is no field, and when it allows neither: a scraper can do more
    /// with the usual format than with a refusal.
    public init(accept: String?) {
        var best: [ExpositionFormat: (specificity: Int, quality: Double)] = [:]
        for range in (accept ?? "").split(separator: ",") {
            guard let range = MediaRange(range) else { continue }
            for format in Self.allCases {
                guard let specificity = range.specificity(for: format) else { continue }
                // The most exact range that fits counts; of equal ones the most generous.
                let found = (specificity, range.quality)
                if best[format].map({ $0 < found }) ?? true { best[format] = found }
            }
        }
        let none = (specificity: -1, quality: 0.0)
        let (text, openMetrics) = (best[.text] ?? none, best[.openMetrics] ?? none)
        let isPreferred = (openMetrics.quality, openMetrics.specificity) > (text.quality, text.specificity)
        self = isPreferred && openMetrics.quality > 0 ? .openMetrics : .text
    }
}

/// One element of an `Accept` field.
private struct MediaRange {
    let type: String
    let subtype: String
    let version: String?
    /// 0 to 1.
    let quality: Double

    init?(_ text: Substring) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(Self.trimmed)
        let names = (parts.first ?? "").lowercased().split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2 else { return nil }
        type = String(names[0])
        subtype = String(names[1])
        var version: String?
        var quality = 1.0
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(of: "=") else { continue }
            let value = Self.trimmed(part[part.index(after: equals)...])
            switch Self.trimmed(part[..<equals]).lowercased() {
            case "version": version = value.filter { $0 != "\"" }
            case "q":
                // A quality that is none makes the range one that nobody wants.
                quality = Double(value).flatMap { (0...1).contains($0) ? $0 : nil } ?? 0
            default: break
            }
        }
        self.version = version
        self.quality = quality
    }

    /// 0 to 3, the more the narrower; nil if the range is for something else.
    func specificity(for format: ExpositionFormat) -> Int? {
        let (own, name, newest) =
            switch format {
            case .text: ("text", "plain", "0.0.4")
            case .openMetrics: ("application", "openmetrics-text", "1.0.0")
            }
        if type == "*", subtype == "*" { return 0 }
        guard type == own else { return nil }
        if subtype == "*" { return 1 }
        guard subtype == name else { return nil }
        guard let version else { return 2 }
        return version == newest ? 3 : nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}
