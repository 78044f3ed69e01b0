import GatewayCore
import MCPProtocol
import NIOCore

/// An MCP server in memory, whose tools do what tests need:
///
/// - `echo` answers at once, with the arguments
/// - `hold` answers when the test says so
/// - `progress` reports `count` times with `padding` bytes each, then answers
/// - `ask` asks the client for a sample and answers with what it got
/// - `routed` is `echo`, with parameters that are repeated in header fields
final class ScriptedUpstream: UpstreamLinkFactory {
    struct Held: Sendable {
        let link: ScriptedLink
        let id: ByteBuffer
        let token: ByteBuffer?
    }

    struct Seen: Sendable {
        /// Methods and bytes of what came, in order.
        var messages: [(method: String, text: String)] = []
        var held: [Held] = []
        var links: [ScriptedLink] = []
        /// It has one tool more than at first.
        var isChanged = false
    }

    let seen = Monitor(Seen())

    func connect(on eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) -> EventLoopFuture<any UpstreamLink> {
        let link = ScriptedLink(upstream: self, eventLoop: eventLoop, delegate: delegate)
        seen.update { $0.links.append(link) }
        return eventLoop.makeSucceededFuture(link)
    }

    /// Waits until the `hold` tool was called so many times and not answered.
    func waitForHeld(_ count: Int = 1) async throws {
        try await seen.wait(until: "\(count) held calls") { $0.held.count >= count }
    }

    func waitFor(method: String) async throws -> String {
        try await seen.wait(for: method) { seen in seen.messages.first { $0.method == method }?.text }
    }

    /// Reports progress on the first held call.
    func reportProgress(_ message: String) {
        guard let held = seen.value.held.first, let token = held.token else { return }
        held.link.say(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(String(buffer: token)),"
                + "\"progress\":1,\"message\":\"\(message)\"}}")
    }

    /// Answers the oldest held call.
    func release(_ text: String = "released") {
        var released: Held?
        seen.update { seen in if !seen.held.isEmpty { released = seen.held.removeFirst() } }
        released?.link.answer(released?.id, text: text)
    }

    /// Has one tool more, and says so.
    func changeTools() {
        seen.update { $0.isChanged = true }
        say(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#)
    }

    /// A message that belongs to no call.
    func say(_ message: String) { seen.value.links.first?.say(message) }
}

/// One conversation with the scripted server.
final class ScriptedLink: UpstreamLink {
    private let upstream: ScriptedUpstream
    private let eventLoop: any EventLoop
    private let delegate: any UpstreamLinkDelegate

    init(upstream: ScriptedUpstream, eventLoop: any EventLoop, delegate: any UpstreamLinkDelegate) {
        self.upstream = upstream
        self.eventLoop = eventLoop
        self.delegate = delegate
    }

    func handshakeCompleted(revision: Revision) {}
    func setReading(_ isReading: Bool) {}

    func close() {
        eventLoop.execute { self.delegate.link(self, closed: LinkClosure(description: "closed", isOrderly: true)) }
    }

    func say(_ message: String) {
        eventLoop.execute { self.delegate.link(self, received: ByteBuffer(string: message)) }
    }

    func answer(_ id: ByteBuffer?, text: String) { respond(id, result: "{\"content\":[{\"type\":\"text\",\"text\":\"\(text)\"}]}") }

    private func respond(_ id: ByteBuffer?, result: String) {
        say("{\"jsonrpc\":\"2.0\",\"id\":\(id.map { String(buffer: $0) } ?? "null"),\"result\":\(result)}")
    }

    private static let routed = #"""
        {"name":"routed","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},
        "level":{"type":"integer","x-mcp-header":"Level"},"dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
        "where":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"}}}}}}
        """#.replacing("\n", with: "")

    func send(_ bytes: ByteBuffer, call: UInt64?) -> LinkAdmission {
        guard let message = try? Message.parse(bytes) else { return .closed }
        upstream.seen.update { $0.messages.append((message.methodName.name, String(buffer: bytes))) }
        switch message.methodName {
        case .initialize:
            respond(
                message.idBytes,
                result: """
                    {"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true},"logging":{}},"serverInfo":{"name":"scripted","version":"1"}}
                    """)
        case .serverDiscover:
            say(
                "{\"jsonrpc\":\"2.0\",\"id\":\(message.idBytes.map { String(buffer: $0) } ?? "null"),\"error\":{\"code\":-32601,\"message\":\"?\"}}"
            )
        case .toolsList:
            let tools = ["echo", "hold", "progress", "ask"].map { "{\"name\":\"\($0)\",\"inputSchema\":{\"type\":\"object\"}}" }
            let more = upstream.seen.value.isChanged ? [#"{"name":"new","inputSchema":{"type":"object"}}"#] : []
            respond(message.idBytes, result: "{\"tools\":[\((tools + [Self.routed] + more).joined(separator: ","))]}")
        case .toolsCall: callTool(message)
        case .loggingSetLevel: respond(message.idBytes, result: "{}")
        case _ where message.kind == .request:
            let id = message.idBytes.map { String(buffer: $0) } ?? "null"
            say("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}")
        default:
            guard message.kind == .response, let asked = message.json.string(message.id), asked.hasPrefix("ask-") else { break }
            let asker = ByteBuffer(string: String(asked.dropFirst("ask-".count)))
            answer(asker, text: message.json.string(message.json.member("model", of: message.result)) ?? "no model")
        }
        return .sent
    }

    private func callTool(_ message: Message) {
        guard let id = message.idBytes else { return }
        let json = message.json
        let arguments = message.param("arguments")
        let token = json.slice(json.member("progressToken", of: message.param("_meta")))
        switch json.string(message.param("name")) {
        case "echo", "routed":
            respond(id, result: "{\"content\":[],\"structuredContent\":\(json.slice(arguments).map { String(buffer: $0) } ?? "{}")}")
        case "hold": upstream.seen.update { $0.held.append(.init(link: self, id: id, token: token)) }
        case "progress":
            let count = json.integer(json.member("count", of: arguments)) ?? 0
            let padding = String(repeating: "x", count: json.integer(json.member("padding", of: arguments)) ?? 0)
            guard let token else { break }
            for number in 1...max(count, 1) {
                say(
                    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(String(buffer: token)),"
                        + "\"progress\":\(number),\"message\":\"\(padding)\"}}")
            }
            answer(id, text: "done")
        case "ask":
            say(
                "{\"jsonrpc\":\"2.0\",\"id\":\"ask-\(String(buffer: id))\",\"method\":\"sampling/createMessage\","
                    + "\"params\":{\"messages\":[],\"maxTokens\":1}}")
        default: respond(id, result: "{\"content\":[],\"isError\":true}")
        }
    }
}
