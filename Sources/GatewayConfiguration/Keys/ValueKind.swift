/// What values a key accepts.
enum ValueKind: Sendable, Equatable {
    /// A non-empty string of the given shape.
    case text(TextRule)
    case integer(ClosedRange<Int>)
    /// Bytes.
    case size(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case flag
    case choice(Choice)
    case list(TextRule)
    /// An object of strings.
    case map(MapRule)

    /// One of a few words.
    struct Choice: Sendable, Equatable {
        var values: [String]
        /// Other spellings that are accepted.
        var aliases: [String: String] = [:]
        /// Words that the user may reasonably expect to work, with the reason why they do not.
        var refusals: [String: String] = [:]
    }

    /// What an object of strings is for.
    enum MapRule: Sendable, Equatable {
        case environment
        case headers
    }

    /// Whether messages must not quote a value.
    var isSecret: Bool {
        if case .text(let rule) = self { rule.isSecret } else { false }
    }

    /// For the documentation and messages: what may be written.
    var rangeText: String {
        switch self {
        case .text(let rule): rule.wanted
        case .list(let rule): "each: \(rule.wanted)"
        case .integer(let range): "\(range.lowerBound) – \(range.upperBound)"
        case .size(let range): "\(ByteSizeText.format(range.lowerBound)) – \(ByteSizeText.format(range.upperBound))"
        case .duration(let range): "\(DurationText.format(range.lowerBound)) – \(DurationText.format(range.upperBound))"
        case .flag: "true, false"
        case .choice(let choice): choice.values.joined(separator: ", ")
        case .map(.environment): "object of strings"
        case .map(.headers): "object of strings"
        }
    }

    /// For the documentation: the unit of a bare number.
    var unitText: String {
        switch self {
        case .duration: "seconds"
        case .size: "bytes"
        case .integer: "number"
        case .flag: "boolean"
        case .text(.path): "path"
        case .text: "string"
        case .choice: "word"
        case .list: "list"
        case .map: "object"
        }
    }
}
