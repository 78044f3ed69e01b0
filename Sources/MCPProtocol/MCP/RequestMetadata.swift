public import NIOCore

/// What every modern request says for itself in `params._meta` (2026-07-28, basic, "Per-request protocol fields").
public struct RequestMetadata: Sendable {
    /// The keys in `_meta`.
    public enum Key {
        public static let protocolVersion: StaticString = "io.modelcontextprotocol/protocolVersion"
        public static let clientCapabilities: StaticString = "io.modelcontextprotocol/clientCapabilities"
        public static let clientInfo: StaticString = "io.modelcontextprotocol/clientInfo"
        public static let logLevel: StaticString = "io.modelcontextprotocol/logLevel"
        public static let serverInfo: StaticString = "io.modelcontextprotocol/serverInfo"
        public static let subscriptionID: StaticString = "io.modelcontextprotocol/subscriptionId"

        /// Those of a request's fields that a legacy server has no use for.
        static let request = [protocolVersion, clientCapabilities, clientInfo, logLevel]
    }

    /// A modern revision.
    public let revision: Revision
    /// Raw JSON object.
    public let clientCapabilities: ByteBuffer
    /// Raw JSON object.
    public let clientInfo: ByteBuffer?
    /// The raw name of a logging level; nil: the client wants no log messages.
    public let logLevel: String?

    /// Whether a message is of the modern era: it names its version itself.
    public static func isPresent(in message: Message) -> Bool {
        message.json.member(Key.protocolVersion, of: message.routing.meta).isPresent
    }

    /// The version that a message names; nil when it names none, or not as a string.
    public static func protocolVersion(of message: Message) -> String? {
        message.json.string(message.json.member(Key.protocolVersion, of: message.routing.meta))
    }

    /// Reads the fields.
    ///
    /// - Throws: −32602 when a field is missing, of a wrong type or there twice; −32022 when the version is not a modern one that is known.
    public init(_ message: Message) throws(RPCError) {
        let json = message.json
        guard json.isObject(message.routing.meta) else {
            throw RPCError(
                code: .invalidParams, message: "params._meta with \(Key.protocolVersion) and \(Key.clientCapabilities) is missing")
        }
        var version = JSONSpan.absent
        var capabilities = JSONSpan.absent
        var info = JSONSpan.absent
        var level = JSONSpan.absent
        var twice: StaticString?
        json.forEachMember(of: message.routing.meta) { key, value in
            func note(_ member: inout JSONSpan, _ name: StaticString) {
                if member.isPresent { twice = name }
                member = value
            }
            if key.isKey(Key.protocolVersion) {
                note(&version, Key.protocolVersion)
            } else if key.isKey(Key.clientCapabilities) {
                note(&capabilities, Key.clientCapabilities)
            } else if key.isKey(Key.clientInfo) {
                note(&info, Key.clientInfo)
            } else if key.isKey(Key.logLevel) {
                note(&level, Key.logLevel)
            }
            return true
        }
        if let twice { throw RPCError(code: .invalidParams, message: "params._meta has \(twice) twice") }
        guard let name = json.string(version) else {
            throw RPCError(code: .invalidParams, message: "params._meta must have \(Key.protocolVersion), a string")
        }
        guard let revision = Revision(rawValue: name), revision.era == .modern else { throw Self.unsupported(name) }
        guard json.isObject(capabilities), let clientCapabilities = json.slice(capabilities) else {
            throw RPCError(code: .invalidParams, message: "params._meta must have \(Key.clientCapabilities), an object")
        }
        guard !info.isPresent || json.isObject(info) else {
            throw RPCError(code: .invalidParams, message: "params._meta: \(Key.clientInfo) must be an object")
        }
        guard !level.isPresent || json.string(level) != nil else {
            throw RPCError(code: .invalidParams, message: "params._meta: \(Key.logLevel) must be a string")
        }
        self.revision = revision
        self.clientCapabilities = clientCapabilities
        clientInfo = json.slice(info)
        logLevel = json.string(level)
    }

    /// Raw JSON array of all versions, those with `initialize` too, the newest first.
    public static let supportedVersions = ByteBuffer(
        string: "[" + Revision.allCases.reversed().map { "\"\($0.rawValue)\"" }.joined(separator: ",") + "]")

    /// What a client gets that asks for a version which is not served (basic/versioning, "Protocol Version Negotiation").
    public static func unsupported(_ requested: String) -> RPCError {
        var data = ByteBuffer(string: "{\"supported\":")
        data.writeImmutableBuffer(supportedVersions)
        data.writeStaticString(",\"requested\":")
        data.writeJSONString(requested.prefix(64))
        data.writeStaticString("}")
        return RPCError(code: .unsupportedProtocolVersion, message: "Unsupported protocol version \"\(requested.prefix(64))\"", data: data)
    }

    /// The raw members of `_meta` that make a request modern.
    ///
    /// - Parameters:
    ///   - clientCapabilities: raw JSON object.
    ///   - clientInfo: raw JSON object.
    ///   - logLevel: the name of a logging level.
    public static func members(
        revision: Revision = .latestModern, clientCapabilities: ByteBuffer, clientInfo: ByteBuffer?, logLevel: String? = nil
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        func key(_ key: StaticString) {
            bytes.writeStaticString("\"")
            bytes.writeStaticString(key)
            bytes.writeStaticString("\":")
        }
        key(Key.protocolVersion)
        bytes.writeJSONString(revision.rawValue)
        bytes.writeStaticString(",")
        key(Key.clientCapabilities)
        bytes.writeImmutableBuffer(clientCapabilities)
        if let clientInfo {
            bytes.writeStaticString(",")
            key(Key.clientInfo)
            bytes.writeImmutableBuffer(clientInfo)
        }
        if let logLevel {
            bytes.writeStaticString(",")
            key(Key.logLevel)
            bytes.writeJSONString(logLevel)
        }
        return bytes
    }

    /// The splices that take out of a request what only a modern server has a use for: the fields of `_meta`, and what a retry brings
    /// (`inputResponses`, `requestState`). What else is there stays in place.
    ///
    /// - Parameter members: raw members that are put into `_meta` instead; it is made where there is none. Another splice must not insert
    ///   there.
    public static func removal(from message: Message, inserting members: ByteBuffer? = nil) -> [Splice] {
        replacement(in: message, by: members)
            + message.json.replacement(of: ["inputResponses", "requestState"], in: message.params, by: nil)
    }

    /// The splices that put raw members into a request's `_meta` in place of those it has; it is made where there is none. Another splice
    /// must not insert there.
    public static func replacement(in message: Message, by members: ByteBuffer?) -> [Splice] {
        guard message.json.isObject(message.routing.meta) else {
            return members.flatMap { message.metaInsertion(of: $0) }.map { [$0] } ?? []
        }
        return message.json.replacement(of: Key.request, in: message.routing.meta, by: members)
    }

    /// The splices that take the id of a subscription out of a notification's `_meta`: it is of no use but to who opened the subscription.
    public static func subscriptionRemoval(from notification: Message) -> [Splice] {
        notification.json.replacement(of: [Key.subscriptionID], in: notification.routing.meta, by: nil)
    }
}
