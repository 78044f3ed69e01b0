import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

@testable import GatewayCore

/// A wire whose other end is the test.
final class ScriptedLink: UpstreamLink {
    private struct State {
        var sent: [ByteBuffer] = []
        var accepts = true
        var isClosing = false
        var hasUnreadInput = false
        var needsParameterHeaders = false
        var parameterHeaders: [String: [ParameterHeader]] = [:]
        var revision: Revision?
        var reading: [Bool] = []
    }

    let eventLoop: any EventLoop
    let delegate: any UpstreamLinkDelegate
    /// Whether `close()` is followed by the delegate's call at once.
    let closesAtOnce: Bool
    private let state = NIOLockedValueBox(State())
    private let onSend: (@Sendable (ScriptedLink, Message) -> Void)?

    init(
        eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate, closesAtOnce: Bool,
        onSend: (@Sendable (ScriptedLink, Message) -> Void)?
    ) {
        self.eventLoop = eventLoop
        self.delegate = delegate
        self.closesAtOnce = closesAtOnce
        self.onSend = onSend
    }

    var sent: [ByteBuffer] { state.withLockedValue { $0.sent } }
    var texts: [String] { sent.map { String(buffer: $0) } }
    var messages: [Message] { sent.compactMap { try? Message.parse($0) } }
    var isClosing: Bool { state.withLockedValue { $0.isClosing } }
    var revision: Revision? { state.withLockedValue { $0.revision } }
    var accepts: Bool {
        get { state.withLockedValue { $0.accepts } }
        set { state.withLockedValue { $0.accepts = newValue } }
    }

    var hasUnreadInput: Bool {
        get { state.withLockedValue { $0.hasUnreadInput } }
        set { state.withLockedValue { $0.hasUnreadInput = newValue } }
    }

    /// Whether it is one over HTTP.
    var needsParameterHeaders: Bool {
        get { state.withLockedValue { $0.needsParameterHeaders } }
        set { state.withLockedValue { $0.needsParameterHeaders = newValue } }
    }

    /// The names of the header fields of each tool.
    var parameterHeaders: [String: [String]] { state.withLockedValue { $0.parameterHeaders.mapValues { $0.map(\.name) } } }

    var callsHaveStreams: Bool { needsParameterHeaders }

    func setParameterHeaders(_ headers: [String: [ParameterHeader]]) { state.withLockedValue { $0.parameterHeaders = headers } }

    func messages(of method: MCPProtocol.Method) -> [Message] { messages.filter { $0.method.isPresent && $0.methodName == method } }

    func send(_ message: ByteBuffer, call: UInt64?) -> LinkAdmission {
        let admission = state.withLockedValue { state in
            guard !state.isClosing else { return LinkAdmission.closed }
            guard state.accepts else { return .queueFull }
            state.sent.append(message)
            return .sent
        }
        if admission == .sent, let onSend, let message = try? Message.parse(message) { onSend(self, message) }
        return admission
    }

    func handshakeCompleted(revision: Revision) { state.withLockedValue { $0.revision = revision } }

    func setReading(_ isReading: Bool) { state.withLockedValue { $0.reading.append(isReading) } }
    /// What the peer asked for, in order.
    var reading: [Bool] { state.withLockedValue { $0.reading } }

    func close() {
        state.withLockedValue { $0.isClosing = true }
        if closesAtOnce { closed(LinkClosure(description: "closed", isOrderly: true)) }
    }

    // MARK: What the test makes the server do

    func receive(_ text: String) { delegate.link(self, received: ByteBuffer(string: text)) }

    func closed(_ reason: LinkClosure) {
        state.withLockedValue { $0.isClosing = true }
        delegate.link(self, closed: reason)
    }

    func crash(_ description: String = "exit 1") { closed(LinkClosure(description: description)) }

    func answer(_ message: Message, result: String) {
        receive("{\"jsonrpc\":\"2.0\",\"id\":\(message.idBytes.map { String(buffer: $0) } ?? "null"),\"result\":\(result)}")
    }

    func answer(_ message: Message, code: Int, error: String) {
        receive(
            "{\"jsonrpc\":\"2.0\",\"id\":\(message.idBytes.map { String(buffer: $0) } ?? "null"),\"error\":{\"code\":\(code),\"message\":\"\(error)\"}}"
        )
    }

    /// Answers `server/discover` as a modern server.
    func answerDiscover(_ message: Message, versions: String = #""2026-07-28""#, capabilities: String = "{}") {
        answer(
            message,
            result:
                #"{"resultType":"complete","supportedVersions":[\#(versions)],"capabilities":\#(capabilities),"instructions":"be modern","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m","version":"1"}},"ttlMs":0,"cacheScope":"public"}"#
        )
    }

    /// Acknowledges a `subscriptions/listen`, all of it unless told otherwise.
    func acknowledge(_ listen: Message, filter: String? = nil) {
        let id = listen.idBytes.map { String(buffer: $0) } ?? "null"
        let own = listen.json.slice(listen.param("notifications")).map { String(buffer: $0) } ?? "{}"
        receive(
            #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":\#(id)},"notifications":\#(filter ?? own)}}"#
        )
    }

    /// A notification of a subscription.
    func notify(_ method: String, of listen: Message, _ params: String = "") {
        let id = listen.idBytes.map { String(buffer: $0) } ?? "null"
        receive(
            #"{"jsonrpc":"2.0","method":"\#(method)","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":\#(id)}\#(params)}}"#)
    }

    /// Answers the pending `initialize`.
    func shakeHands(version: String = "2025-11-25", capabilities: String = "{}") {
        guard let initialize = messages(of: .initialize).last else { return }
        answer(
            initialize,
            result:
                "{\"protocolVersion\":\"\(version)\",\"capabilities\":\(capabilities),\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}")
    }
}

/// Makes scripted links and keeps them.
final class ScriptedFactory: UpstreamLinkFactory {
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var links: [ScriptedLink] = []
        var attempts = 0
        var failure: String?
        var isHeld = false
        var held: [@Sendable () -> Void] = []
        var closesAtOnce = true
        var areSlow = false
    }

    private let state = NIOLockedValueBox(State())
    private let onSend: (@Sendable (ScriptedLink, Message) -> Void)?

    /// - Parameter onSend: a server that answers by itself; nil when the test answers.
    init(onSend: (@Sendable (ScriptedLink, Message) -> Void)? = nil) { self.onSend = onSend }

    var links: [ScriptedLink] { state.withLockedValue { $0.links } }
    var attempts: Int { state.withLockedValue { $0.attempts } }
    /// While set, connecting fails with it.
    var failure: String? {
        get { state.withLockedValue { $0.failure } }
        set { state.withLockedValue { $0.failure = newValue } }
    }
    /// While set, `connect` does not complete until `release()`.
    var isHeld: Bool {
        get { state.withLockedValue { $0.isHeld } }
        set { state.withLockedValue { $0.isHeld = newValue } }
    }
    var closesAtOnce: Bool {
        get { state.withLockedValue { $0.closesAtOnce } }
        set { state.withLockedValue { $0.closesAtOnce = newValue } }
    }

    /// Whether the servers of links have not read anything yet.
    var areSlow: Bool {
        get { state.withLockedValue { $0.areSlow } }
        set { state.withLockedValue { $0.areSlow = newValue } }
    }

    func release() {
        let held = state.withLockedValue { state in
            defer { state.held.removeAll() }
            return state.held
        }
        for body in held { body() }
    }

    func connect(on eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) -> EventLoopFuture<any UpstreamLink> {
        let promise = eventLoop.makePromise(of: (any UpstreamLink).self)
        let complete: @Sendable () -> Void = {
            if let failure = self.failure { return promise.fail(Refusal(description: failure)) }
            let link = ScriptedLink(eventLoop: eventLoop, delegate: delegate, closesAtOnce: self.closesAtOnce, onSend: self.onSend)
            link.hasUnreadInput = self.areSlow
            self.state.withLockedValue { $0.links.append(link) }
            promise.succeed(link)
        }
        let isHeld = state.withLockedValue { state in
            state.attempts += 1
            if state.isHeld { state.held.append(complete) }
            return state.isHeld
        }
        if !isHeld { complete() }
        return promise.futureResult
    }
}
