import MCPProtocol
import NIOCore

/// What a new session must be told to be like the old one.
struct SessionMemory: Sendable {
    /// The client's `initialize`.
    private(set) var initialize: Message?
    /// The client's `notifications/initialized`.
    var initialized: ByteBuffer?
    /// The revision of the gateway's answer.
    private(set) var revision: String?
    private var logLevel: Message?
    private var subscriptions: [(uri: String, request: Message)] = []

    init(initialize: Message? = nil) {
        self.initialize = initialize
    }

    /// The requests that follow the handshake.
    var requestsToReplay: [Message] { (logLevel.map { [$0] } ?? []) + subscriptions.map(\.request) }

    /// Takes note of a request of the client that succeeded.
    mutating func note(success request: Message, answer: Message, maxSubscriptions: Int) {
        switch request.methodName {
        case .initialize: noteRevision(answer)
        case .loggingSetLevel: logLevel = request
        case .resourcesSubscribe:
            guard let uri = request.json.string(request.param("uri")) else { return }
            subscriptions.removeAll { $0.uri == uri }
            guard subscriptions.count < maxSubscriptions else { return }
            subscriptions.append((uri, request))
        case .resourcesUnsubscribe:
            guard let uri = request.json.string(request.param("uri")) else { return }
            subscriptions.removeAll { $0.uri == uri }
        default: break
        }
    }

    /// Takes the revision from an `initialize` answer.
    mutating func noteRevision(_ answer: Message) {
        revision = answer.json.string(answer.json.member("protocolVersion", of: answer.result))
    }
}
