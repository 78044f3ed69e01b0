/// How a file is written.
enum DocumentFormat: Equatable {
    case json
    /// JSON with comments and trailing commas, as editors write it.
    case jsonWithComments
    case yaml

    /// By extension; by content for unknown extensions: what begins like an object is JSON.
    static func detect(path: String, text: String) -> DocumentFormat {
        let name = path.split(separator: "/").last ?? ""
        let dot = name.lastIndex(of: ".")
        switch dot.map({ name[name.index(after: $0)...].lowercased() }) {
        case "json": return .json
        case "jsonc": return .jsonWithComments
        case "yaml", "yml": return .yaml
        default: return text.first { !$0.isWhitespace } == "{" ? .json : .yaml
        }
    }

    func parse(_ text: String) throws(DocumentError) -> DocumentNode {
        if text.allSatisfy(\.isWhitespace) { throw DocumentError(message: "the file is empty; the smallest configuration is {}") }
        switch self {
        case .json: return try JSONDocumentParser.parse(text, allowsComments: false)
        case .jsonWithComments: return try JSONDocumentParser.parse(text, allowsComments: true)
        case .yaml: return try YAMLDocumentParser.parse(text)
        }
    }
}
