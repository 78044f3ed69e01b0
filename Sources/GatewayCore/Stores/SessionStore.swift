public import MCPProtocol
public import NIOCore

/// What is kept of a session so that any instance, now or after a restart, can go on with it.
public struct SessionRecord: Sendable, Equatable {
    public let id: SessionID
    /// Who the client says it is (`clientInfo.name`, or the REST `clientId`); sessions can be listed by it.
    public let clientID: String
    public let revision: Revision
    /// The one server the session is confined to (`/servers/<name>/mcp`); nil for all.
    public let server: String?
    /// The `params` of the client's `initialize`, raw: children of `session` isolation are initialised with it again.
    public let initializeParams: ByteBuffer
    public let createdAt: WallTime
    /// When the client was last heard of; the session lives for its TTL from then on.
    public var lastSeen: WallTime
    /// Small facts that change while the session lives, each on its own (`SessionAttribute`), raw.
    public var attributes: [SessionAttribute: ByteBuffer]

    public init(
        id: SessionID, clientID: String, revision: Revision, server: String?, initializeParams: ByteBuffer, createdAt: WallTime,
        lastSeen: WallTime, attributes: [SessionAttribute: ByteBuffer] = [:]
    ) {
        self.id = id
        self.clientID = clientID
        self.revision = revision
        self.server = server
        self.initializeParams = initializeParams
        self.createdAt = createdAt
        self.lastSeen = lastSeen
        self.attributes = attributes
    }
}

/// The name of one changeable fact of a session.
public struct SessionAttribute: Sendable, Hashable {
    public let name: String
    public init(name: String) { self.name = name }

    /// The client sent `notifications/initialized`.
    public static let initialized = SessionAttribute(name: "initialized")
    /// Raw JSON object that the client of the REST API gave with the session; only sessions of the REST API have it.
    public static let metadata = SessionAttribute(name: "metadata")
    /// The level of `logging/setLevel`, as a JSON string.
    public static let logLevel = SessionAttribute(name: "logLevel")

    /// The client subscribed to a resource.
    public static func subscription(uri: String) -> SessionAttribute { SessionAttribute(name: subscriptionPrefix + uri) }
    /// The session started a task; the value is the name of the upstream that runs it.
    public static func task(id: String) -> SessionAttribute { SessionAttribute(name: taskPrefix + id) }

    /// The URI of a subscription attribute.
    public var subscribedURI: String? {
        name.hasPrefix(Self.subscriptionPrefix) ? String(name.dropFirst(Self.subscriptionPrefix.count)) : nil
    }
    /// The id of a task attribute.
    public var taskID: String? { name.hasPrefix(Self.taskPrefix) ? String(name.dropFirst(Self.taskPrefix.count)) : nil }

    /// What every subscription attribute's name begins with.
    public static let subscriptionPrefix = "subscription:"
    private static let taskPrefix = "task:"
}

/// How many sessions there may be. A session that has expired counts until it is swept; the gateway does so before it refuses one.
public struct SessionLimits: Sendable, Hashable {
    /// Sessions in all (`sessions.maxSessions`); nil for no bound.
    public var overall: Int?
    /// Sessions with the same `clientID` (`sessions.maxSessionsPerClient`); nil for no bound.
    public var perClient: Int?

    public init(overall: Int? = nil, perClient: Int? = nil) {
        self.overall = overall
        self.perClient = perClient
    }

    public static let none = SessionLimits()
}

/// What a store did with a new session.
public enum SessionAdmission: Sendable, Hashable {
    /// It is there and durable.
    case created
    /// There are as many as may be; nothing was changed. The limit is ``LimitKey/maxSessions`` or ``LimitKey/maxSessionsPerClient``.
    case tooMany(LimitKey)
}

/// A store could not do what it was asked.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public let operation: String
    public let reason: String
    public let kind: Kind

    public init(operation: String, reason: String, kind: Kind = .failed) {
        self.operation = operation
        self.reason = reason
        self.kind = kind
    }

    public enum Kind: Sendable, Hashable {
        /// It failed at what it was asked.
        case failed
        /// It cannot be reached, and nothing was done.
        case unavailable
        /// The session is at home at another instance, or was deleted there: this one may not write for it.
        case fenced
    }

    public var description: String { "the store could not \(operation): \(reason)" }
}

/// Keeps sessions.
///
/// Calls return at once. Completions run on a thread of the store's, in the order of the calls; they must not block. A write is durable
/// (survives the end of the process) when its completion runs. Callers that need no completion pass nil.
public protocol SessionStore: Sendable {
    typealias Completion<Value> = @Sendable (Result<Value, StoreError>) -> Void

    /// Adds a session unless that would exceed `limits`. Counting and adding are one step: of calls that come at once no more are admitted
    /// than there is room for.
    func create(_ record: SessionRecord, limits: SessionLimits, completion: @escaping Completion<SessionAdmission>)
    /// The session with its attributes; nil when it does not exist or was last seen before `aliveSince`.
    func load(_ id: SessionID, aliveSince: WallTime, completion: @escaping Completion<SessionRecord?>)
    /// Moves `lastSeen` forward (never back) for several sessions; unknown ones are left out.
    func touch(_ sessions: [(id: SessionID, lastSeen: WallTime)])
    /// Sets one attribute, or removes it (nil). Does nothing for a session that does not exist.
    func setAttribute(_ attribute: SessionAttribute, of id: SessionID, to value: ByteBuffer?, completion: Completion<Void>?)
    /// Deletes a session, its attributes and its event streams. True when it was there.
    func delete(_ id: SessionID, completion: @escaping Completion<Bool>)
    /// Live sessions of a client, oldest first: at most `limit` (1 or more) of those behind `position`, nil being the beginning.
    func sessions(
        ofClient clientID: String, after position: SessionPosition?, limit: Int, aliveSince: WallTime,
        completion: @escaping Completion<SessionPage>)
    /// How many live sessions there are.
    func count(aliveSince: WallTime, completion: @escaping Completion<Int>)
    /// Deletes up to `limit` sessions last seen before `deadline`, with what belongs to them, and tells which.
    func sweep(lastSeenBefore deadline: WallTime, limit: Int, completion: @escaping Completion<[SessionID]>)
    /// Waits until everything asked for so far is durable.
    func flush() async
}

/// A session store of one instance alone, which goes on by itself with what its sessions had under way. Of several, each goes on with a session
/// when it becomes the home of it.
public protocol SoleSessionStore: SessionStore {
    /// The live sessions that have an attribute whose name begins with `prefix`, with all attributes.
    func sessions(withAttributePrefix prefix: String, aliveSince: WallTime, completion: @escaping Completion<[SessionRecord]>)
}
