import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// What requests say of their client, and to a server of which era.
extension RequestMetadata {
    /// The members of `_meta` that say the same as raw `params` of `initialize`.
    static func members(
        ofInitialize params: ByteBuffer, revision: Revision = .latestModern, logLevel: LogLevel? = nil, declaresTasks: Bool = false
    )
        -> ByteBuffer
    {
        let json = try? JSONText(validating: params)
        func object(_ name: StaticString) -> ByteBuffer? {
            guard let json else { return nil }
            let span = json.member(name, of: json.root)
            return json.isObject(span) ? json.slice(span) : nil
        }
        var capabilities = object("capabilities") ?? ByteBuffer(string: "{}")
        if declaresTasks { capabilities = TasksExtension.declared(in: capabilities) }
        var members = members(
            revision: revision, clientCapabilities: capabilities, clientInfo: object("clientInfo"), logLevel: logLevel?.rawValue)
        members.replaceLineBreaks()
        return members
    }
}

extension UpstreamPeerSettings {
    /// Raw `params` of `server/discover`.
    func discoverParams(_ revision: Revision) -> ByteBuffer {
        var params = ByteBuffer(string: "{\"_meta\":{")
        params.writeImmutableBuffer(RequestMetadata.members(ofInitialize: initializeParams, revision: revision))
        params.writeStaticString("}}")
        return params
    }
}

extension UpstreamPeer {
    /// The splices that make `_meta` of a request what the server's era needs.
    func metaSplices(of request: UpstreamRequest, for era: Revision.Era) -> [Splice] {
        let insertion = { request.metaMembers.flatMap { request.message.metaInsertion(of: $0) }.map { [$0] } ?? [] }
        var members: ByteBuffer
        switch (request.origin, era) {
        case (.gateway, .legacy), (.legacy, .legacy), (.modern, .modern): return insertion()
        case (.modern, .legacy): return RequestMetadata.removal(from: request.message, inserting: request.metaMembers)
        case (.gateway, .modern):
            members = request.declaresTasks ? settings.taskRequestMembers : settings.requestMembers
        case (.legacy(let session), .modern):
            members = request.declaresTasks ? session.makeRequestMembers(declaresTasks: true) : session.requestMembers
        }
        if let more = request.metaMembers {
            members.writeStaticString(",")
            members.writeImmutableBuffer(more)
        }
        // What a legacy client has put there under these names is not what they mean.
        return RequestMetadata.replacement(in: request.message, by: members)
    }
}

extension Session {
    /// Raw members of `_meta` that tell a modern server of the client: what it declared in its `initialize`, and the log level it set.
    var requestMembers: ByteBuffer {
        let (level, known) = state.withLockedValue { ($0.logLevel, $0.requestMembers) }
        if let known, known.level == level { return known.members }
        let members = makeRequestMembers(declaresTasks: false)
        state.withLockedValue { $0.requestMembers = (level, members) }
        return members
    }

    /// The same, made anew.
    func makeRequestMembers(declaresTasks: Bool) -> ByteBuffer {
        let level = state.withLockedValue { $0.logLevel }
        return RequestMetadata.members(ofInitialize: initializeParams, logLevel: level, declaresTasks: declaresTasks)
    }
}
