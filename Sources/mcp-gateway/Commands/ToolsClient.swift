import AsyncHTTPClient
import Logging
import MCPHTTPClient
import MCPProtocol
import NIOCore
import NIOPosix

/// A small MCP client for the terminal: one request at a time, notifications to a handler.
final class ToolsClient: StreamableHTTPClientDelegate {
    private struct State {
        var client: StreamableHTTPClient?
        var lastToken: UInt64 = 0
        var pending: [UInt64: EventLoopPromise<Message>] = [:]
        var onNotification: (@Sendable (Message) -> Void)?
    }

    private let eventLoop: any EventLoop
    private let httpClient: HTTPClient
    private let state: NIOLoopBoundBox<State>
    private let url: String

    init(url: String, headers: [(String, String)]) {
        let configuration = StreamableHTTPClientConfiguration(url: url, headers: headers)
        let group = MultiThreadedEventLoopGroup.singleton
        self.url = configuration.displayURL
        self.eventLoop = group.next()
        self.httpClient = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration.httpClientConfiguration)
        self.state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
        let client = StreamableHTTPClient(
            configuration: configuration, httpClient: httpClient, eventLoop: eventLoop,
            logger: Logger(label: "mcp-gateway tools") { _ in SwiftLogNoOpLogHandler() }, delegate: self)
        eventLoop.execute { self.state.value.client = client }
    }

    /// Performs the handshake.
    func connect(timeout: TimeAmount) async throws {
        let params = """
            {"protocolVersion":"\(Revision.latestLegacy.rawValue)","capabilities":{},"clientInfo":{"name":"mcp-gateway-tools","version":"1"}}
            """
        let answer = try await request("initialize", params: ByteBuffer(string: params), timeout: timeout)
        let revision = answer.json.string(answer.json.member("protocolVersion", of: answer.result)) ?? Revision.latestLegacy.rawValue
        eventLoop.execute {
            self.state.value.client?.initialized(revision: revision, openListeningStream: false)
            self.state.value.client?.send(MessageWriter.notification(method: "notifications/initialized"), token: nil)
        }
    }

    /// Sends a request and waits for its result.
    /// - Throws: ``ToolsError``.
    func request(
        _ method: String, params: ByteBuffer? = nil, timeout: TimeAmount, onNotification: (@Sendable (Message) -> Void)? = nil
    ) async throws -> Message {
        let promise = eventLoop.makePromise(of: Message.self)
        eventLoop.execute {
            self.state.value.lastToken += 1
            let token = self.state.value.lastToken
            self.state.value.pending[token] = promise
            self.state.value.onNotification = onNotification
            self.state.value.client?.send(MessageWriter.request(id: token, method: method, params: params), token: token)
            let deadline = self.eventLoop.scheduleTask(in: timeout) { self.timedOut(token, method, timeout) }
            promise.futureResult.whenComplete { _ in deadline.cancel() }
        }
        let answer = try await promise.futureResult.get()
        guard answer.kind == .errorResponse else { return answer }
        throw ToolsError.refused(
            method: method, code: answer.json.integer(answer.json.member("code", of: answer.error)) ?? 0,
            message: answer.json.string(answer.json.member("message", of: answer.error)) ?? "no message")
    }

    /// Ends the session.
    func close() async {
        let closed = eventLoop.flatSubmit {
            self.state.value.client?.close(terminateSession: true) ?? self.eventLoop.makeSucceededVoidFuture()
        }
        try? await closed.get()
        try? await httpClient.shutdown()
    }

    private func timedOut(_ token: UInt64, _ method: String, _ timeout: TimeAmount) {
        guard let promise = state.value.pending.removeValue(forKey: token) else { return }
        if method != "initialize" {
            let params = ByteBuffer(string: #"{"requestId":\#(token),"reason":"timed out"}"#)
            state.value.client?.send(MessageWriter.notification(method: "notifications/cancelled", params: params), token: nil)
        }
        promise.fail(ToolsError.timedOut(method: method, seconds: timeout.nanoseconds / 1_000_000_000))
    }

    // MARK: StreamableHTTPClientDelegate

    func client(_ client: StreamableHTTPClient, received message: ByteBuffer) {
        guard let message = try? Message.parse(message) else { return }
        switch message.kind {
        case .response, .errorResponse:
            guard let token = message.json.unsigned(message.id) else { return }
            state.value.pending.removeValue(forKey: token)?.succeed(message)
        case .notification: state.value.onNotification?(message)
        case .request:
            guard let id = message.idBytes else { return }
            let answer =
                message.methodName == .ping
                ? MessageWriter.response(id: id, result: ByteBuffer(string: "{}"))
                : RPCError(code: .methodNotFound, message: "this client offers no \(message.methodName.name)").response(id: id)
            client.send(answer, token: nil)
        }
    }

    func client(_ client: StreamableHTTPClient, requestFailed token: UInt64, _ error: StreamableHTTPError) {
        let failure: ToolsError =
            switch error {
            case _ where error.isUnreachable: .unreachable(url: url, reason: "\(error)")
            case .http(401, _), .http(403, _):
                .failed("\(url): \(error)\nSet the token in \(ConnectHeaders.tokenVariable), or give it with --header.")
            default: .failed("\(url): \(error)")
            }
        state.value.pending.removeValue(forKey: token)?.fail(failure)
    }

    func clientSessionEnded(_ client: StreamableHTTPClient) {}
}
