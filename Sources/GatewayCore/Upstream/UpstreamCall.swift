public import MCPProtocol
public import NIOCore

/// A request on its way to an upstream: the client's message and what is replaced in it.
public struct UpstreamRequest: Sendable {
    /// The client's request; `id` and progress token are replaced by the peer.
    public let message: Message
    /// Replacements the router asks for (the tool's name without its prefix, for example).
    public let splices: [Splice]
    /// Raw progress token of the client, to be put back into progress notifications.
    public let progressToken: JSONSpan
    /// How long the upstream may be silent about the request.
    public let timeout: TimeAmount
    /// Who asks.
    var origin = Origin.gateway
    /// Raw members that are put into `_meta`, whoever asks.
    var metaMembers: ByteBuffer?
    /// A modern server is told that its answer may be a task, whatever the client declared: the gateway knows what to do with one.
    var declaresTasks = false

    /// Whose request it is: what a modern server is told of the client depends on it.
    enum Origin {
        case gateway
        /// The session says what its client declared.
        case legacy(Session)
        /// The message itself says it.
        case modern
    }

    public init(message: Message, splices: [Splice], progressToken: JSONSpan, timeout: TimeAmount) {
        self.message = message
        self.splices = splices
        self.progressToken = progressToken
        self.timeout = timeout
    }
}

/// Hears of what becomes of a request. All calls are made on the peer's event loop; exactly one of `responded` and `failed` is the last.
public protocol UpstreamCallHandler: AnyObject, Sendable {
    /// The exchange it belongs to; nil for a request of the gateway's own.
    var exchange: Exchange? { get }
    /// The peer took the request and gave it this id.
    func upstreamAccepted(call: UInt64, by peer: UpstreamPeer)
    /// `notifications/progress` for the request; the token in it is the peer's.
    func upstreamProgressed(_ notification: Message)
    /// The response; the id in it is the peer's.
    func upstreamResponded(_ response: Message)
    /// There will be no response.
    func upstreamFailed(_ failure: ExchangeFailure)
}

extension UpstreamCallHandler {
    public var exchange: Exchange? { nil }
}

/// What an upstream said about itself in the handshake.
public struct UpstreamInfo: Sendable {
    public let revision: Revision
    /// The `result` of `initialize`; of `server/discover` when the server is modern.
    public let initializeResult: JSONText

    public init(revision: Revision, initializeResult: JSONText) {
        self.revision = revision
        self.initializeResult = initializeResult
    }

    /// Raw `capabilities`.
    public var capabilities: JSONSpan { object("capabilities") }

    /// A member of the result; `.absent` when it is no object, as it must be.
    private func object(_ name: StaticString) -> JSONSpan {
        let span = initializeResult.member(name, of: initializeResult.root)
        return initializeResult.isObject(span) ? span : .absent
    }

    /// Whether a capability is declared.
    public func has(_ capability: StaticString) -> Bool { initializeResult.member(capability, of: capabilities).isPresent }

    /// Whether a capability is declared with a member that is true.
    public func has(_ capability: StaticString, _ member: StaticString) -> Bool {
        initializeResult.isTrue(initializeResult.member(member, of: initializeResult.member(capability, of: capabilities)))
    }

    /// Raw JSON of a capability.
    public func capability(_ name: StaticString) -> ByteBuffer? {
        initializeResult.slice(initializeResult.member(name, of: capabilities))
    }

    /// Whether it knows sessions.
    public var era: Revision.Era { revision.era }

    /// Raw `serverInfo`; a modern server has it in `_meta`.
    public var serverInfo: ByteBuffer? {
        guard era == .modern else { return initializeResult.slice(object("serverInfo")) }
        let span = initializeResult.member(RequestMetadata.Key.serverInfo, of: object("_meta"))
        return initializeResult.isObject(span) ? initializeResult.slice(span) : nil
    }

    /// `instructions`, decoded.
    public var instructions: String? { initializeResult.string(initializeResult.member("instructions", of: initializeResult.root)) }
}
