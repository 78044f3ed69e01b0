import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("What modern servers ask of legacy clients") struct InputRoundTests {
    private let server = ScriptedServer("s", capabilities: #"{"tools":{}}"#, lists: [.tools: #"{"name":"t"}"#], era: .modern)

    /// A call that its server answers with `result`.
    private func call(
        _ bench: GatewayBench, in session: Session, _ result: String, params: String = #"{"name":"s__t"}"#, id: String = "1"
    ) throws -> RecordingSink {
        let sink = try bench.request("tools/call", params, id: id, in: session)
        try answer(bench, result)
        return sink
    }

    private func answer(_ bench: GatewayBench, _ result: String) throws {
        server.link.answer(try #require(server.link.messages(of: .toolsCall).last), result: result)
        bench.settle()
    }

    private var calls: [Message] { server.link.messages(of: .toolsCall) }

    private func param(_ key: StaticString) -> String? {
        calls.last.flatMap { $0.json.slice($0.param(key)) }.map { String(buffer: $0) }
    }

    /// The requests that the client was sent.
    private func asked(_ sink: RecordingSink) -> [Message] { sink.messages.filter { $0.kind == .request } }

    private func respond(_ bench: GatewayBench, to request: Message, _ outcome: String, in session: Session) throws {
        let id = request.idBytes.map { String(buffer: $0) } ?? ""
        try bench.accept(#"{"jsonrpc":"2.0","id":\#(id),\#(outcome)}"#, in: session)
    }

    private static let elicitation =
        #"{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}"#
    private static func required(_ requests: String, state: String? = #""opaque \u00e9""#) -> String {
        #"{"resultType":"input_required","inputRequests":{\#(requests)}\#(state.map { ",\"requestState\":\($0)" } ?? "")}"#
    }

    @Test("become its requests, and the call is sent again with its answers and the server's state")
    func round() throws {
        let bench = GatewayBench([server])
        let session = try bench.session()
        let requests =
            #""a\"b":\#(Self.elicitation),"s":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}},"r":{"method":"roots/list"}"#
        let sink = try call(
            bench, in: session, Self.required(requests), params: #"{"name":"s__t","arguments":{"n":1e400},"_meta":{"progressToken":5}}"#)
        let asked = asked(sink)
        #expect(asked.map(\.methodName) == [.elicitationCreate, .samplingCreateMessage, .rootsList])
        #expect(asked[0].json.string(asked[0].param("message")) == "Who?")
        try respond(bench, to: asked[1], #""result":{"role":"assistant","model":"m"}"#, in: session)
        try respond(bench, to: asked[0], #""result":{"action":"decline"}"#, in: session)
        #expect(calls.count == 1)
        try respond(bench, to: asked[2], #""result":{"roots":[]}"#, in: session)
        #expect(calls.count == 2)
        #expect(param("inputResponses") == #"{"a\"b":{"action":"decline"},"s":{"role":"assistant","model":"m"},"r":{"roots":[]}}"#)
        #expect(param("requestState") == #""opaque \u00e9""#)
        #expect(param("arguments") == #"{"n":1e400}"#)
        #expect(param("name") == #""t""#)
        #expect(calls[0].idBytes != calls[1].idBytes)
        #expect(calls[1].json.slice(calls[1].routing.progressToken) == calls[1].idBytes)
        #expect(try RequestMetadata(calls[1]).clientCapabilities == ByteBuffer(string: GatewayBench.allCapabilities))
        // Progress of the second call is progress of the client's.
        server.link.receive(
            #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(String(buffer: try #require(calls[1].idBytes))),"progress":1}}"#
        )
        try answer(bench, #"{"resultType":"complete","content":[]}"#)
        #expect(sink.texts.contains(#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1}}"#))
        #expect(sink.messages.last.flatMap { $0.json.slice($0.id) } == ByteBuffer(string: "1"))
        #expect(sink.result == #"{"resultType":"complete","content":[]}"#)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("can take several rounds; each retry has the answers and the state of its own round alone")
    func rounds() throws {
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try call(bench, in: session, Self.required(#""one":\#(Self.elicitation)"#))
        try respond(bench, to: asked(sink)[0], #""result":{"action":"accept","content":{"n":1}}"#, in: session)
        #expect(param("inputResponses") == #"{"one":{"action":"accept","content":{"n":1}}}"#)
        try answer(bench, Self.required(#""two":\#(Self.elicitation)"#, state: nil))
        try respond(bench, to: asked(sink)[1], #""result":{"action":"cancel"}"#, in: session)
        #expect(param("inputResponses") == #"{"two":{"action":"cancel"}}"#)
        #expect(param("requestState") == nil)
        try answer(bench, "{}")
        #expect(sink.result == "{}")
    }

    @Test("without a question the call is sent again after a moment")
    func stateAlone() throws {
        let bench = GatewayBench([server])
        let sink = try call(bench, in: try bench.session(), #"{"resultType":"input_required","requestState":"later"}"#)
        #expect(calls.count == 1)
        bench.loop.advanceTime(by: .milliseconds(20))
        bench.settle()
        #expect(calls.count == 2)
        #expect(param("requestState") == #""later""#)
        #expect(param("inputResponses") == nil)
        try answer(bench, "{}")
        #expect(sink.result == "{}")
    }

    @Test("come to an end")
    func limit() throws {
        let bench = GatewayBench([server]) { $0.maxInputRounds = 3 }
        let sink = try call(bench, in: try bench.session(), #"{"resultType":"input_required","requestState":"later"}"#)
        for _ in 0..<3 {
            bench.loop.advanceTime(by: .seconds(2))
            try answer(bench, #"{"resultType":"input_required","requestState":"later"}"#)
        }
        #expect(calls.count == 4)
        #expect(sink.texts.last?.contains("3 times") == true)
        #expect(sink.finals == 1)
    }

    @Test(
        "are refused when the client did not declare them, or there are none of that name",
        arguments: [
            (#""x":{"method":"sampling/createMessage","params":{}}"#, "sampling"),
            (#""x":{"method":"elicitation/create","params":{"mode":"url","url":"https://e.org","message":"m"}}"#, "url"),
            (#""x":{"method":"tools/call","params":{}}"#, "no such request"),
        ])
    func undeclared(requests: String, reason: String) throws {
        let bench = GatewayBench([server])
        let session = try bench.session(capabilities: #"{"elicitation":{}}"#)
        let sink = try call(bench, in: session, Self.required(#""e":\#(Self.elicitation),\#(requests)"#))
        #expect(asked(sink).isEmpty)
        #expect(sink.errorCode == -32603)
        #expect(sink.texts.last?.contains(reason) == true)
    }

    @Test("neither question nor state is an error")
    func nothing() throws {
        let bench = GatewayBench([server])
        #expect(try call(bench, in: try bench.session(), #"{"resultType":"input_required"}"#).errorCode == -32603)
    }

    @Test("pages to visit have an id for clients of 2025-11-25, and are not for older ones")
    func url() throws {
        let bench = GatewayBench([server])
        let request = #""u":{"method":"elicitation/create","params":{"mode":"url","url":"https://e.org","message":"m"}}"#
        let session = try bench.session(capabilities: #"{"elicitation":{"url":{}}}"#)
        let sink = try call(bench, in: session, Self.required(request))
        let asked = try #require(asked(sink).first)
        #expect(asked.json.string(asked.param("elicitationId"))?.isEmpty == false)
        #expect(asked.json.string(asked.param("url")) == "https://e.org")
        try respond(bench, to: asked, #""result":{"action":"accept"}"#, in: session)
        #expect(param("inputResponses") == #"{"u":{"action":"accept"}}"#)
        let older = try bench.session(version: "2025-06-18", capabilities: #"{"elicitation":{"url":{}}}"#)
        #expect(try call(bench, in: older, Self.required(request), id: "2").errorCode == -32603)
    }

    @Test("that the client answers with an error end the call, and the other questions are taken back")
    func refused() throws {
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try call(bench, in: session, Self.required(#""a":\#(Self.elicitation),"b":\#(Self.elicitation)"#))
        let asked = asked(sink)
        try respond(bench, to: asked[0], #""error":{"code":-1,"message":"User rejected"}"#, in: session)
        #expect(sink.errorCode == -1)
        #expect(sink.texts.last?.contains("User rejected") == true)
        let cancelled = try #require(sink.messages.first { $0.kind == .notification })
        #expect(cancelled.methodName == .cancelled)
        #expect(cancelled.json.slice(cancelled.param("requestId")) == asked[1].idBytes)
        // Too late.
        try respond(bench, to: asked[1], #""result":{"action":"accept"}"#, in: session)
        #expect(calls.count == 1)
        #expect(session.state.withLockedValue { $0.inputs.isEmpty })
    }

    @Test("are forgotten when the client cancels its call while it is asked, and while the server works on the answers")
    func cancelled() throws {
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try call(bench, in: session, Self.required(#""a":\#(Self.elicitation)"#))
        let cancel = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#
        try bench.accept(cancel, in: session)
        #expect(sink.isOver)
        #expect(session.state.withLockedValue { $0.inputs.isEmpty })
        try respond(bench, to: asked(sink)[0], #""result":{"action":"accept"}"#, in: session)
        #expect(calls.count == 1)
        #expect(server.link.messages(of: .cancelled).isEmpty)

        let second = try call(bench, in: session, Self.required(#""a":\#(Self.elicitation)"#))
        try respond(bench, to: asked(second)[0], #""result":{"action":"accept"}"#, in: session)
        #expect(calls.count == 3)
        try bench.accept(cancel, in: session)
        #expect(second.isOver)
        let told = try #require(server.link.messages(of: .cancelled).first)
        #expect(told.json.slice(told.param("requestId")) == calls[2].idBytes)
    }

    @Test("that nobody answers in time end the call")
    func timeout() throws {
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try call(bench, in: session, Self.required(#""a":\#(Self.elicitation)"#))
        bench.loop.advanceTime(by: .minutes(31))
        bench.settle()
        #expect(sink.errorCode == -32001)
        #expect(sink.messages.contains { $0.methodName == .cancelled })
        #expect(session.state.withLockedValue { $0.inputs.isEmpty })
    }

    @Test("reach a modern client as they are, with the state sealed, and the server gets its own state back")
    func modernClient() throws {
        let bench = GatewayBench([server])
        let first = try bench.modern("tools/call", #""name":"s__t""#)
        try answer(bench, Self.required(#""a":\#(Self.elicitation)"#, state: #""own""#))
        #expect(first.sink.text("resultType") == "input_required")
        let sealed = try #require(first.sink.text("requestState"))
        #expect(sealed != "own")
        _ = try bench.modern(
            "tools/call", #""name":"s__t","inputResponses":{"a":{"action":"accept"}},"requestState":"\#(sealed)""#, id: "2")
        #expect(param("requestState") == #""own""#)
        #expect(param("inputResponses") == #"{"a":{"action":"accept"}}"#)
    }
}
