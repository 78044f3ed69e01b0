import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite struct GatewayInputTests {
    private func server(_ isolation: Isolation = .session) -> ScriptedServer { .tools("s", ["t"], isolation: isolation) }

    private let sampling =
        #"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"_meta":{"progressToken":"up"},"maxTokens":1e2}}"#

    /// A session with a call in progress on a process of its own.
    private func calling(_ bench: GatewayBench, capabilities: String = GatewayBench.allCapabilities) throws -> (
        session: Session, sink: RecordingSink
    ) {
        let session = try bench.session(capabilities: capabilities)
        return (session, try bench.request("tools/call", #"{"name":"s__t"}"#, in: session))
    }

    @Test("A session's own process gets the client's initialize params, with the revision agreed on")
    func params() throws {
        let server = server()
        let bench = GatewayBench([server])
        #expect(server.factory.links.count == 1)
        let session = try bench.create(GatewayBench.initialize(version: "2099-01-01", capabilities: #"{"sampling":{},"x":1e400}"#)).get()
            .session
        _ = try bench.request("tools/call", #"{"name":"s__t"}"#, in: session)
        #expect(server.factory.links.count == 2)
        let initialize = try #require(server.link.messages(of: .initialize).first)
        #expect(
            initialize.json.slice(initialize.params).map { String(buffer: $0) }
                == #"{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"x":1e400},"clientInfo":{"name":"client","version":"1"}}"#
        )
        #expect(server.link.messages(of: .toolsCall).count == 1)
        let other = try calling(bench)
        #expect(server.factory.links.count == 3)
        #expect(other.sink.events.isEmpty)
    }

    @Test("A server's question reaches the client on its call, and the answer the server, with ids and tokens of each side")
    func roundTrip() throws {
        let server = server()
        let bench = GatewayBench([server])
        let (session, sink) = try calling(bench)
        server.link.receive(sampling)
        bench.settle()
        guard case .inputRequired = sink.events.first else {
            Issue.record("no question")
            return
        }
        let question = try #require(sink.messages.first)
        let id = try #require(question.json.string(question.id))
        #expect(sink.texts[0] == sampling.replacing("\"id\":7", with: "\"id\":\"\(id)\"").replacing("\"up\"", with: "\"\(id)\""))
        try bench.accept(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"\(id)\",\"progress\":1}}",
            in: session)
        #expect(
            server.link.texts.last == #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"up","progress":1}}"#)
        try bench.accept("{\"id\":\"\(id)\",\"result\":{\"n\":1e400},\n\"jsonrpc\":\"2.0\"}", in: session)
        #expect(server.link.texts.last == #"{"id":7,"result":{"n":1e400}, "jsonrpc":"2.0"}"#)
        let count = server.link.sent.count
        try bench.accept("{\"id\":\"\(id)\",\"result\":{},\"jsonrpc\":\"2.0\"}", in: session)
        #expect(server.link.sent.count == count)
        server.link.answer(server.link.messages(of: .toolsCall)[0], result: "{}")
        #expect(sink.result == "{}")
    }

    @Test("The client's error reaches the server; another session cannot answer")
    func errorAnswer() throws {
        let server = server()
        let bench = GatewayBench([server])
        let (session, sink) = try calling(bench)
        server.link.receive(sampling)
        bench.settle()
        let question = try #require(sink.messages.first)
        let id = try #require(question.json.string(question.id))
        let answer = "{\"jsonrpc\":\"2.0\",\"id\":\"\(id)\",\"error\":{\"code\":-1,\"message\":\"declined\"}}"
        let count = server.link.sent.count
        try bench.accept(answer, in: try bench.session())
        #expect(server.link.sent.count == count)
        try bench.accept(answer, in: session)
        #expect(server.link.texts.last == #"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"declined"}}"#)
    }

    @Test("A question outside any call goes to the listening stream")
    func unsolicited() throws {
        let server = server()
        let bench = GatewayBench([server])
        let (session, sink) = try calling(bench)
        server.link.answer(server.link.messages(of: .toolsCall)[0], result: "{}")
        let listening = try bench.listen(session)
        server.link.receive(#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#)
        bench.settle()
        #expect(sink.events.count == 1)
        #expect(listening.methods == ["roots/list"])
    }

    @Test("A shared server's question is refused with a hint")
    func shared() throws {
        let server = server(.shared)
        let bench = GatewayBench([server])
        let (_, sink) = try calling(bench)
        server.link.receive(sampling)
        bench.settle()
        #expect(sink.events.isEmpty)
        let refusal = try #require(server.link.messages.last)
        #expect(refusal.kind == .errorResponse)
        #expect(refusal.idBytes.map { String(buffer: $0) } == "7")
        #expect(refusal.json.string(refusal.json.member("message", of: refusal.error))?.contains("\"isolation\"") == true)
    }

    @Test("A question that the server takes back is cancelled at the client under the client's id")
    func takenBack() throws {
        let server = server()
        let bench = GatewayBench([server])
        let (session, sink) = try calling(bench)
        server.link.receive(sampling)
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#)
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#)
        bench.settle()
        #expect(sink.messages.map(\.methodName) == [.samplingCreateMessage, .cancelled])
        let (question, cancelled) = (sink.messages[0], sink.messages[1])
        #expect(cancelled.json.slice(cancelled.param("requestId")) == question.idBytes)
        let count = server.link.sent.count
        try bench.accept("{\"jsonrpc\":\"2.0\",\"id\":\(question.idBytes.map { String(buffer: $0) } ?? ""),\"result\":{}}", in: session)
        #expect(server.link.sent.count == count)
    }

    @Test("A question that needs a capability which the client did not declare is refused")
    func undeclaredCapability() throws {
        let server = server()
        let bench = GatewayBench([server])
        let (_, sink) = try calling(bench, capabilities: #"{"roots":{}}"#)
        let link = server.link
        link.receive(#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}"#)
        bench.settle()
        #expect(sink.events.isEmpty)
        #expect(link.texts.last?.contains("-32601") == true)
    }

    @Test("More questions than the bound are refused")
    func bound() throws {
        let server = server()
        let bench = GatewayBench([server]) { $0.maxOpenInputs = 1 }
        let (_, sink) = try calling(bench)
        server.link.receive(sampling)
        server.link.receive(sampling.replacing("\"id\":7", with: "\"id\":8"))
        bench.settle()
        #expect(sink.events.count == 1)
        #expect(server.link.messages.last?.kind == .errorResponse)
    }

    @Test("roots/list_changed goes to the session's own processes only")
    func rootsChanged() throws {
        let (own, shared) = (server(), ScriptedServer.tools("o", ["t"]))
        let bench = GatewayBench([own, shared])
        let (session, _) = try calling(bench)
        _ = try calling(bench)
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#, in: session)
        #expect(own.factory.links.map { $0.messages(of: .rootsListChanged).count } == [0, 1, 0])
        #expect(shared.link.messages(of: .rootsListChanged).isEmpty)
    }

    @Test("No more sessions have an own process than the bound, and an ended one makes room")
    func processBound() throws {
        let server = server()
        let bench = GatewayBench()
        var definition = server.definition
        definition.maxSessionProcesses = 1
        bench.gateway.setUpstreams([definition])
        bench.settle()
        let (first, _) = try calling(bench)
        let (second, refused) = try calling(bench)
        #expect(refused.errorCode == -32603)
        bench.gateway.endSession(first) { _ in }
        bench.settle()
        #expect(server.factory.links[1].isClosing)
        #expect(try !bench.request("tools/call", #"{"name":"s__t"}"#, id: "2", in: second).isOver)
    }

    // MARK: Tasks

    @Test("A task belongs to the session that began it, is found by its id and listed to nobody else")
    func tasks() throws {
        let server = ScriptedServer("s", capabilities: #"{"tools":{},"tasks":{"list":{}}}"#)
        let bench = GatewayBench([server, .tools("o", [])])
        let (owner, other) = (try bench.session(), try bench.session())
        let sink = try bench.request("tools/call", #"{"name":"s__t","task":{"ttl":60000}}"#, in: owner)
        server.link.answer(
            try #require(server.link.messages(of: .toolsCall).first), result: #"{"task":{"taskId":"T1","status":"working"}}"#)
        bench.settle()
        #expect(sink.texts == [#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"T1","status":"working"}}}"#])
        #expect(bench.stores.record(owner.id)?.attributes[.task(id: "T1")] == ByteBuffer(string: "s"))

        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            #expect(try bench.request(method, #"{"taskId":"T1"}"#, in: other).errorCode == -32602)
            #expect(try bench.request(method, in: owner).errorCode == -32602)
            #expect(try !bench.request(method, #"{"taskId":"T1"}"#, in: owner).isOver)
            #expect(server.link.messages(of: MCPProtocol.Method(method)).count == 1)
        }
        #expect(try bench.request("tasks/list", in: other).result == #"{"tasks":[]}"#)
        let list = try bench.request("tasks/list", id: "9", in: owner)
        server.link.answer(
            try #require(server.link.messages(of: .tasksList).first), result: #"{"tasks":[{"taskId":"T0"},{"taskId":"T1","n":1e400}]}"#)
        bench.settle()
        #expect(list.result == #"{"tasks":[{"taskId":"T1","n":1e400}]}"#)

        let (ownerListens, otherListens) = (try bench.listen(owner), try bench.listen(other))
        server.link.receive(#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"T1","status":"completed"}}"#)
        bench.settle()
        #expect([ownerListens.events.count, otherListens.events.count] == [1, 0])
    }

    @Test("Progress of a task goes on after the answer that names the task")
    func taskProgress() throws {
        let server = ScriptedServer("s", capabilities: #"{"tools":{},"tasks":{}}"#)
        let bench = GatewayBench([server])
        let session = try bench.session()
        let listening = try bench.listen(session)
        _ = try bench.request("tools/call", #"{"name":"s__t","task":{},"_meta":{"progressToken":"p"}}"#, in: session)
        let sent = try #require(server.link.messages(of: .toolsCall).first)
        server.link.answer(sent, result: #"{"task":{"taskId":"T1","status":"working"}}"#)
        server.link.receive(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\(sent.idBytes.map { String(buffer: $0) } ?? ""),\"progress\":1}}"
        )
        bench.settle()
        #expect(listening.methods == ["notifications/progress"])
    }
}
