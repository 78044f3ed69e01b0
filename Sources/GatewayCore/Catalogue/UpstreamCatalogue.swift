public import MCPProtocol
import NIOCore

/// One tool, prompt, resource or template as its server describes it.
public struct CatalogueEntry: Sendable {
    /// Name, URI or URI template.
    public let identifier: String
    /// The raw object.
    public let json: JSONText
    /// Where the identifier lies in it, quotes included.
    let identifierSpan: JSONSpan
    /// Of a tool: the parameters that calls over HTTP repeat in header fields. None when the annotations are not valid.
    let parameterHeaders: [ParameterHeader]
    /// Why they are not.
    let parameterHeaderProblem: String?
    /// Of a tool.
    let taskSupport: TaskSupport

    /// Reads an entry; nil when it has no identifier.
    init?(_ json: JSONText, kind: CatalogueKind) {
        let span = json.member(kind.identifier, of: json.root)
        guard let identifier = json.string(span) else { return nil }
        self.identifier = identifier
        self.json = json
        self.identifierSpan = span
        taskSupport = kind == .tools ? TaskSupport(tool: json.root, in: json) : .forbidden
        guard kind == .tools, ParameterHeader.mayStand(in: json) else {
            parameterHeaders = []
            parameterHeaderProblem = nil
            return
        }
        do throws(ParameterHeader.Invalid) {
            parameterHeaders = try ParameterHeader.annotations(of: json.member("inputSchema", of: json.root), in: json)
            parameterHeaderProblem = nil
        } catch {
            parameterHeaders = []
            parameterHeaderProblem = error.description
        }
    }

    /// The raw object, its name prefixed when `prefix` is given.
    ///
    /// - Parameter marksTasks: a client of 2025-11-25 is told that it may run the tool as a task.
    func rendered(prefix: String?, marksTasks: Bool = false) -> ByteBuffer {
        guard prefix != nil || marksTasks else { return json.slice(json.root) ?? json.bytes }
        var splices: [Splice] = []
        if let prefix { splices.append(Splice(identifierSpan, .string(prefix + identifier))) }
        if marksTasks, !json.member("execution", of: json.root).isPresent {
            splices.append(json.insertion(of: ByteBuffer(string: "\"execution\":{\"taskSupport\":\"optional\"}"), into: json.root))
        }
        var buffer = ByteBuffer()
        buffer.write(json.bytes, splicing: splices)
        return buffer
    }
}

/// What one upstream offers.
public struct UpstreamCatalogue: Sendable {
    var entries: [CatalogueKind: [CatalogueEntry]] = [:]
    /// Of the lists of a modern server.
    var freshness: [CatalogueKind: Freshness] = [:]
    /// By the tool's name; only of those that have some.
    private(set) var parameterHeaders: [String: [ParameterHeader]] = [:]

    /// Of the tools that may run as tasks of 2025-11-25, by name.
    private(set) var taskSupport: [String: TaskSupport] = [:]

    public init() {}

    /// The entries of a kind, in the upstream's order.
    public func entries(_ kind: CatalogueKind) -> [CatalogueEntry] { entries[kind] ?? [] }

    /// Replaces the entries of a kind; a second entry with the same identifier is dropped.
    public mutating func set(_ kind: CatalogueKind, to entries: [CatalogueEntry]) {
        var seen = Set<String>()
        let kept = entries.filter { seen.insert($0.identifier).inserted }
        self.entries[kind] = kept
        guard kind == .tools else { return }
        taskSupport = Dictionary(
            uniqueKeysWithValues: kept.filter { $0.taskSupport != .forbidden }.map { ($0.identifier, $0.taskSupport) })
        parameterHeaders = Dictionary(
            uniqueKeysWithValues: kept.filter { !$0.parameterHeaders.isEmpty }.map { ($0.identifier, $0.parameterHeaders) })
    }

    /// Whether both offer the same, byte for byte.
    func isSame(as other: UpstreamCatalogue, _ kind: CatalogueKind) -> Bool {
        let (mine, theirs) = (entries(kind), other.entries(kind))
        return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.json.bytes == $1.json.bytes }
    }
}
