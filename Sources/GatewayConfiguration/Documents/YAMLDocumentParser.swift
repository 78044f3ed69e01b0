import Yams

/// Reads YAML into `DocumentNode`s, aliases and `<<` merges resolved.
struct YAMLDocumentParser {
    /// Bounds what aliases of aliases can grow to.
    static let maxNodes = 100_000

    private var nodes = 0

    static func parse(_ text: String) throws(DocumentError) -> DocumentNode {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw documentError(error, in: text)
        } catch {
            throw DocumentError(message: "the file is not valid YAML: \(error)")
        }
        guard let root else { throw DocumentError(message: "the file is empty; the smallest configuration is {}") }
        var parser = YAMLDocumentParser()
        return try parser.convert(root, depth: 0)
    }

    private static func documentError(_ error: YamlError, in text: String) -> DocumentError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            DocumentError(line: mark.line, message: "the file is not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            DocumentError(
                line: context.mark.line, message: "the same key twice in one object: \(duplicates.sorted().joined(separator: ", "))")
        case .reader(let problem, _, let value, _):
            // The offset is not always there; the first scalar of this value is the one that was refused.
            DocumentError(
                line: text.unicodeScalars.firstIndex { $0.value == value }.map { line(of: $0, in: text) },
                message: "the file is not valid YAML: \(problem) (U+\(String(value, radix: 16, uppercase: true)))")
        default:
            DocumentError(message: "the file is not valid YAML")
        }
    }

    private static func line(of index: String.Index, in text: String) -> Int {
        1 + text[..<index].count { $0.isNewline }
    }

    private mutating func convert(_ node: Node, depth: Int) throws(DocumentError) -> DocumentNode {
        let line = node.mark?.line ?? 0
        nodes += 1
        guard nodes <= Self.maxNodes else { throw DocumentError(line: line, message: "more than \(Self.maxNodes) values, aliases counted") }
        guard depth < JSONDocumentParser.maxDepth else {
            throw DocumentError(line: line, message: "more than \(JSONDocumentParser.maxDepth) levels of nesting")
        }
        switch node {
        case .scalar(let scalar):
            return DocumentNode(value: scalarValue(scalar, of: node), line: line)
        case .sequence(let sequence):
            var elements: [DocumentNode] = []
            for element in sequence { elements.append(try convert(element, depth: depth + 1)) }
            return DocumentNode(value: .array(elements), line: line)
        case .mapping(let mapping):
            return DocumentNode(value: .object(try members(of: mapping, depth: depth)), line: line)
        case .alias:
            throw DocumentError(line: line, message: "this alias has no anchor")
        }
    }

    private func scalarValue(_ scalar: Node.Scalar, of node: Node) -> DocumentNode.Value {
        switch node.tag {
        case Tag(.null): .null
        case Tag(.bool): Bool.construct(from: scalar).map { .bool($0, text: scalar.string) } ?? .string(scalar.string)
        case Tag(.int), Tag(.float): .number(scalar.string)
        default: .string(scalar.string)
        }
    }

    private mutating func members(of mapping: Node.Mapping, depth: Int) throws(DocumentError) -> [DocumentNode.Member] {
        var own: [DocumentNode.Member] = []
        var merged: [DocumentNode.Member] = []
        for (key, value) in mapping {
            let line = key.mark?.line ?? 0
            guard let scalar = key.scalar else { throw DocumentError(line: line, message: "a key must be a string") }
            let converted = try convert(value, depth: depth + 1)
            guard key.tag == Tag(.merge) else {
                own.append(DocumentNode.Member(key: scalar.string, line: line, value: converted))
                continue
            }
            for source in converted.elements ?? [converted] {
                guard let members = source.members else { throw DocumentError(line: line, message: "<< must name an object") }
                merged += members.filter { member in !merged.contains { $0.key == member.key } }
            }
        }
        return own + merged.filter { member in !own.contains { $0.key == member.key } }
    }
}
