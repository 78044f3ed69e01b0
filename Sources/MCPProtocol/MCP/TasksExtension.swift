public import NIOCore

/// The extension io.modelcontextprotocol/tasks of the modern era (SEP-2663), which took the place of the tasks of 2025-11-25.
public enum TasksExtension {
    /// Its name among `extensions`.
    public static let name: StaticString = "io.modelcontextprotocol/tasks"
    /// The key in `_meta` that says which task of 2025-11-25 a message belongs to (basic/utilities/tasks, "Related Task Metadata").
    public static let relatedTask: StaticString = "io.modelcontextprotocol/related-task"

    /// What a client gets that did not declare it and needs it (SEP-2663, "Capability Negotiation").
    public static let requiredCapabilities = ByteBuffer(
        string: "{\"requiredCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}")

    /// Whether capabilities declare it.
    public static func isDeclared(in capabilities: JSONSpan, of json: JSONText) -> Bool {
        json.isObject(json.member(name, of: json.member("extensions", of: capabilities)))
    }

    /// Whether an error says that the request needs it.
    public static func isRequired(by error: JSONSpan, in json: JSONText) -> Bool {
        guard json.integer(json.member("code", of: error)) == RPCError.Code.missingRequiredClientCapability.rawValue else { return false }
        return isDeclared(in: json.member("requiredCapabilities", of: json.member("data", of: error)), of: json)
    }

    /// Raw capabilities that declare it besides what they declare.
    ///
    /// - Parameter removing: members that are left out.
    public static func declared(in capabilities: ByteBuffer, removing: [StaticString] = []) -> ByteBuffer {
        guard let json = try? JSONText(validating: capabilities), json.isObject(json.root) else {
            return ByteBuffer(string: "{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}")
        }
        let extensions = json.member("extensions", of: json.root)
        guard !isDeclared(in: json.root, of: json) || !removing.isEmpty else { return capabilities }
        var own = ByteBuffer(string: "{\"io.modelcontextprotocol/tasks\":{}}")
        if json.isObject(extensions) {
            own.clear()
            let member = ByteBuffer(string: "\"io.modelcontextprotocol/tasks\":{}")
            let edit = json.replacement(of: [name], in: extensions, by: member)
            var all = ByteBuffer()
            all.write(json.bytes, splicing: edit)
            let length = extensions.count + all.readableBytes - json.bytes.readableBytes
            if let slice = all.getSlice(at: all.readerIndex + Int(extensions.start), length: length) { own = slice }
        }
        var member = ByteBuffer(string: "\"extensions\":")
        member.writeImmutableBuffer(own)
        var bytes = ByteBuffer()
        bytes.write(json.bytes, splicing: json.replacement(of: ["extensions"] + removing, in: json.root, by: member))
        return bytes
    }

    /// Raw `capabilities` of a server for a client of 2025-11-25, whose tasks are those of that revision.
    public static func legacy(_ capabilities: ByteBuffer) -> ByteBuffer {
        guard let json = try? JSONText(validating: capabilities), json.isObject(json.root) else { return capabilities }
        var member = ByteBuffer(string: "\"tasks\":")
        member.writeImmutableBuffer(legacyCapability)
        var bytes = ByteBuffer()
        bytes.write(json.bytes, splicing: json.replacement(of: ["tasks"], in: json.root, by: member))
        return bytes
    }

    /// Raw `tasks` of a server of 2025-11-25 that has all of it.
    public static let legacyCapability = ByteBuffer(string: "{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}")
}

/// Whether a tool of 2025-11-25 runs as a task: `execution.taskSupport` (basic/utilities/tasks, "Tool-Level Negotiation").
public enum TaskSupport: Sendable, Hashable {
    case forbidden, optional, required

    /// Reads a tool.
    public init(tool: JSONSpan, in json: JSONText) {
        let span = json.member("taskSupport", of: json.member("execution", of: tool))
        self = json.equals(span, "\"required\"") ? .required : json.equals(span, "\"optional\"") ? .optional : .forbidden
    }
}
