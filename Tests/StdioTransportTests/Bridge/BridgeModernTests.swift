import MCPHTTPClient
import MCPProtocol
import NIOCore
import Testing

@testable import StdioTransport

@Suite("Bridge session of a modern client")
struct BridgeModernTests {
    private static let meta =
        #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#
    private static let listMeta =
        #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#

    private func request(_ method: String, id: String, _ params: String = "") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(Self.meta)\#(params.isEmpty ? "" : ",")\#(params)}}"#
    }

    private func cancelled(_ id: String) -> String {
        #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id)}}"#
    }

    private func mismatch(_ id: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32020,"message":"Header mismatch"}}"#
    }

    private func page(_ id: String, _ tools: String, cursor: String? = nil) -> String {
        let next = cursor.map { #","nextCursor":"\#($0)""# } ?? ""
        return #"{"jsonrpc":"2.0","id":\#(id),"result":{"tools":[\#(tools)]\#(next)}}"#
    }

    private let routed =
        #"{"name":"routed","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#

    private func regionHeaders() throws -> [String: [ParameterHeader]] {
        let json = try JSONText(validating: ByteBuffer(string: routed))
        return ["routed": try ParameterHeader.annotations(of: json.member("inputSchema", of: json.root), in: json)]
    }

    @Test("requests go through without a handshake, beside a session or without one")
    func passThrough() {
        var bridge = TestBridge()
        let discover = request("server/discover", id: "1")
        #expect(bridge.client(discover) == [.send(discover, token: 1)])
        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":1,"result":{}}"#) == [.write(#"{"jsonrpc":"2.0","id":1,"result":{}}"#)])
        bridge.handshake()
        let call = request("tools/call", id: "2")
        #expect(bridge.client(call).map(\.text) == [call])
        #expect(bridge.session.memory.revision == "2025-06-18")
    }

    @Test("a cancelled request closes its connection and is forgotten; the gateway is sent nothing")
    func cancellation() {
        var bridge = TestBridge()
        let token = bridge.token(of: bridge.client(request("tools/call", id: #""a""#)))
        #expect(bridge.client(cancelled(#""a""#)) == [.cancel(token: token)])
        #expect(bridge.session.outstanding.isEmpty)
        #expect(bridge.client(cancelled(#""a""#)) == [])
        #expect(bridge.client(cancelled("7")) == [])
        #expect(bridge.client(request("tools/call", id: #""a""#)).count == 1)
    }

    @Test("the cancellation of a legacy request is passed on")
    func legacyCancellation() {
        var bridge = TestBridge()
        bridge.handshake()
        _ = bridge.client(#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{}}"#)
        #expect(bridge.client(cancelled("5")) == [.send(cancelled("5"), token: nil)])
    }

    @Test("one that waits for the gateway is taken back without a word to it")
    func cancelledWhileAway() {
        var bridge = TestBridge()
        let token = bridge.token(of: bridge.client(request("tools/list", id: "1")))
        _ = bridge.fail(token, .connectFailed(reason: "refused"))
        #expect(bridge.client(cancelled("1")) == [])
        #expect(bridge.session.held.isEmpty)
    }

    @Test("listening goes on after a lost connection, and the client hears of it once")
    func listeningAgain() {
        var bridge = TestBridge()
        let listen = request("subscriptions/listen", id: "3", #""notifications":{}"#)
        let acknowledged =
            #"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}"#
        let token = bridge.token(of: bridge.client(listen))
        #expect(bridge.gateway(acknowledged) == [.write(acknowledged)])
        #expect(bridge.fail(token, .connectionLost(reason: "reset")) == [.scheduleRetry(attempt: 0)])
        // It was open for longer than a request may wait.
        let again = bridge.map { $0.retry(now: .uptimeNanoseconds(0)) }
        #expect(again.map(\.text) == [listen])
        #expect(bridge.gateway(acknowledged) == [])
        let result = #"{"jsonrpc":"2.0","id":3,"result":{}}"#
        #expect(bridge.gateway(result) == [.write(result)])
    }

    @Test("a lost connection is waited for anew, however long the client listened")
    func longListening() {
        var bridge = TestBridge()
        let listen = request("subscriptions/listen", id: "3", #""notifications":{}"#)
        let token = bridge.token(of: bridge.client(listen))
        let later = NIODeadline.uptimeNanoseconds(0) + .hours(1)
        _ = bridge.map { $0.failed(token: token, .connectionLost(reason: "reset"), now: later) }
        #expect(bridge.map { $0.retry(now: later + .seconds(1)) }.map(\.text) == [listen])
    }

    @Test("a client that goes away stops listening, and gets the answers that it waits for")
    func drain() {
        var bridge = TestBridge()
        let token = bridge.token(of: bridge.client(request("subscriptions/listen", id: "1", #""notifications":{}"#)))
        _ = bridge.client(request("tools/call", id: "2"))
        #expect(bridge.map { $0.inputEnded() } == [.cancel(token: token)])
        #expect(bridge.gateway(#"{"jsonrpc":"2.0","id":2,"result":{}}"#).last == .finish)
    }

    @Test("a call that may have been carried out is not repeated, nor one whose state works once; the error is of its era")
    func lost() {
        var bridge = TestBridge()
        for (id, line) in [
            ("1", request("tools/call", id: "1")), ("2", request("resources/read", id: "2", #""requestState":"s""#)),
        ] {
            let token = bridge.token(of: bridge.client(line))
            let actions = bridge.fail(token, .connectionLost(reason: "reset"))
            #expect(actions.count == 1)
            #expect(actions.first?.text.contains(#""id":\#(id),"error":{"code":-32603"#) == true)
        }
    }

    @Test("what lists say of header fields is used for the calls that follow, and unsaid again")
    func parameterHeaders() throws {
        var bridge = TestBridge()
        _ = bridge.client(request("tools/list", id: "1"))
        let answer = page("1", routed)
        #expect(try bridge.gateway(answer) == [.setParameterHeaders(regionHeaders()), .write(answer)])
        _ = bridge.client(request("tools/list", id: "2"))
        #expect(bridge.gateway(page("2", routed)) == [.write(page("2", routed))])
        _ = bridge.client(request("tools/list", id: "3"))
        let plain = page("3", #"{"name":"routed","inputSchema":{"type":"object"}}"#)
        #expect(bridge.gateway(plain) == [.setParameterHeaders([:]), .write(plain)])
    }

    @Test("a call refused for its header makes the bridge read the whole list, then is sent again, once")
    func relearning() throws {
        var bridge = TestBridge()
        let call = request("tools/call", id: "1", #""name":"routed""#)
        let other = request("tools/call", id: "2", #""name":"routed""#)
        _ = bridge.client(call)
        _ = bridge.client(other)
        let list = bridge.gateway(mismatch("1"))
        #expect(list.count == 1)
        #expect(list.first?.text.contains(#""method":"tools/list","params":{"_meta":\#(Self.listMeta)}"#) == true)
        #expect(bridge.gateway(mismatch("2")) == [])
        #expect(bridge.client(call).first?.text.contains("already under way") == true)
        let first = list.first?.id ?? ""
        let next = bridge.gateway(page("\"\(first)\"", "", cursor: "c"))
        #expect(next.first?.text.contains(#""cursor":"c""#) == true)
        let actions = bridge.gateway(page("\"\(next.first?.id ?? "")\"", routed))
        #expect(try actions.first == .setParameterHeaders(regionHeaders()))
        #expect(actions.dropFirst().map(\.text) == [call, other])
        #expect(bridge.gateway(mismatch("1")) == [.write(mismatch("1"))])
    }

    @Test("when the list cannot be read the client gets the refusal")
    func relearningFails() {
        var bridge = TestBridge()
        _ = bridge.client(request("tools/call", id: "1", #""name":"routed""#))
        let token = bridge.token(of: bridge.gateway(mismatch("1")))
        #expect(bridge.fail(token, .timedOut(seconds: 1)) == [.write(mismatch("1"))])
        _ = bridge.client(request("tools/call", id: "2", #""name":"routed""#))
        let list = bridge.gateway(mismatch("2"))
        #expect(bridge.client(cancelled("2")) == [])
        #expect(bridge.gateway(page("\"\(list.first?.id ?? "")\"", "")) == [.setParameterHeaders([:])])
    }
}
