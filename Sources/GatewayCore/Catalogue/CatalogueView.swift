import MCPProtocol
public import NIOCore

/// The catalogue as one endpoint shows it: all upstreams merged with prefixes, or one upstream as it is. Immutable.
public final class CatalogueView: Sendable {
    /// Between a server's name and a tool's or prompt's.
    public static let separator = "__"

    private let lists: [RenderedList]
    private let resourceOwners: [String: String]
    private let templates: [(template: URITemplate, owner: String)]

    /// What one upstream contributes.
    public struct Part: Sendable {
        let owner: String
        let catalogue: UpstreamCatalogue
        let filter: ToolFilter
        let isPrefixed: Bool
        /// Its tools are shown as ones that may run as tasks.
        let marksTasks: Bool

        public init(owner: String, catalogue: UpstreamCatalogue, filter: ToolFilter, isPrefixed: Bool, marksTasks: Bool = false) {
            self.marksTasks = marksTasks
            self.owner = owner
            self.catalogue = catalogue
            self.filter = filter
            self.isPrefixed = isPrefixed
        }
    }

    /// - Parameter parts: in the order of the configuration; the first that offers a URI owns it.
    public init(parts: [Part], pageSize: Int) {
        var owners: [String: String] = [:]
        var templates: [(URITemplate, String)] = []
        lists = CatalogueKind.allCases.map { kind in
            var rendered: [ByteBuffer] = []
            var seen = Set<String>()
            for part in parts {
                for entry in part.catalogue.entries(kind) {
                    if kind == .tools, !part.filter.isTrivial, !part.filter.passes(entry.identifier) { continue }
                    if kind.isPrefixed {
                        rendered.append(
                            entry.rendered(
                                prefix: part.isPrefixed ? part.owner + CatalogueView.separator : nil,
                                marksTasks: part.marksTasks && kind == .tools))
                        continue
                    }
                    guard seen.insert(entry.identifier).inserted else { continue }
                    rendered.append(entry.rendered(prefix: nil))
                    if kind == .resources {
                        owners[entry.identifier] = part.owner
                    } else {
                        templates.append((URITemplate(entry.identifier), part.owner))
                    }
                }
            }
            return RenderedList(kind: kind, entries: rendered, pageSize: pageSize)
        }
        resourceOwners = owners
        self.templates = templates
    }

    /// The result object of a list request, raw. Nil for a cursor that this list did not give out.
    public func page(_ kind: CatalogueKind, cursor: String?) -> ByteBuffer? { lists[kind.rawValue].page(cursor: cursor) }

    /// The result object of a list with all entries on one page, raw.
    func everything(_ kind: CatalogueKind) -> ByteBuffer { lists[kind.rawValue].everything }

    /// The upstream that offers the URI, by resource or by template.
    public func owner(ofResource uri: String) -> String? {
        resourceOwners[uri] ?? templates.first { $0.template.matches(uri) }?.owner
    }

    /// The upstream that offers the URI template, for completions.
    public func owner(ofTemplate template: String) -> String? { templates.first { $0.template.text == template }?.owner }

    /// The kinds whose lists differ.
    func changes(from old: CatalogueView) -> Set<Method> {
        Set(CatalogueKind.allCases.filter { lists[$0.rawValue].digest != old.lists[$0.rawValue].digest }.map(\.listChanged))
    }
}

/// A list with its pages. Cursors name the list's content, so they mean the same on every instance and after a restart.
private struct RenderedList: Sendable {
    let kind: CatalogueKind
    let entries: [ByteBuffer]
    let pageSize: Int
    let digest: UInt64
    let firstPage: ByteBuffer

    init(kind: CatalogueKind, entries: [ByteBuffer], pageSize: Int) {
        self.kind = kind
        self.entries = entries
        self.pageSize = pageSize
        // FNV-1a; it tells lists apart, it protects nothing.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for entry in entries {
            for byte in entry.readableBytesView { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
            digest = (digest ^ 0x0A) &* 0x100_0000_01b3
        }
        self.digest = digest
        self.firstPage = Self.render(kind: kind, entries: entries, from: 0, pageSize: pageSize, digest: digest)
    }

    func page(cursor: String?) -> ByteBuffer? {
        guard let cursor else { return firstPage }
        let parts = cursor.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, UInt64(parts[0], radix: 16) == digest, let offset = Int(parts[1]), offset > 0, offset < entries.count
        else { return nil }
        return Self.render(kind: kind, entries: entries, from: offset, pageSize: pageSize, digest: digest)
    }

    var everything: ByteBuffer {
        entries.count <= pageSize
            ? firstPage : Self.render(kind: kind, entries: entries, from: 0, pageSize: entries.count, digest: digest)
    }

    private static func render(kind: CatalogueKind, entries: [ByteBuffer], from: Int, pageSize: Int, digest: UInt64) -> ByteBuffer {
        let end = min(from + pageSize, entries.count)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(entries[from..<end].reduce(64) { $0 + $1.readableBytes + 1 })
        buffer.writeStaticString("{\"")
        buffer.writeStaticString(kind.resultKey)
        buffer.writeStaticString("\":[")
        for index in from..<end {
            if index > from { buffer.writeStaticString(",") }
            buffer.writeImmutableBuffer(entries[index])
        }
        buffer.writeStaticString("]")
        if end < entries.count {
            buffer.writeStaticString(",\"nextCursor\":")
            buffer.writeJSONString("\(String(digest, radix: 16))-\(end)")
        }
        buffer.writeStaticString("}")
        return buffer
    }
}

/// A URI template (RFC 6570) as far as routing needs it: every expression stands for any characters.
struct URITemplate: Sendable {
    let text: String
    private let literals: [String]

    init(_ text: String) {
        self.text = text
        var literals = [""]
        var isExpression = false
        for character in text {
            switch character {
            case "{" where !isExpression:
                isExpression = true
                literals.append("")
            case "}" where isExpression: isExpression = false
            default: if !isExpression { literals[literals.count - 1].append(character) }
            }
        }
        self.literals = literals
    }

    func matches(_ uri: String) -> Bool {
        guard literals.count > 1 else { return uri == text }
        guard uri.hasPrefix(literals[0]) else { return false }
        var rest = uri.dropFirst(literals[0].count)
        for literal in literals[1..<literals.count - 1] where !literal.isEmpty {
            guard let range = rest.firstRange(of: literal) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(literals[literals.count - 1])
    }
}
