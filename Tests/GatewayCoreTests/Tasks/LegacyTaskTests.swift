import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Tasks of modern servers for legacy clients") struct LegacyTaskTests {
    private static let task =
        #""taskId":"T1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":60000,"pollIntervalMs":100"#

    private func server(_ extensions: String = #"{"io.modelcontextprotocol/tasks":{}}"#) -> ScriptedServer {
        ScriptedServer(
            "s", capabilities: #"{"tools":{},"extensions":\#(extensions)}"#, lists: [.tools: #"{"name":"t"}"#], era: .modern)
    }

    private func declaresTasks(_ message: Message) throws -> Bool {
        let capabilities = try JSONText(validating: try RequestMetadata(message).clientCapabilities)
        return TasksExtension.isDeclared(in: capabilities.root, of: capabilities)
    }

    private func begin(_ bench: GatewayBench, _ server: ScriptedServer, _ session: Session) throws -> RecordingSink {
        let sink = try bench.request("tools/call", #"{"name":"s__t","task":{"ttl":5000}}"#, in: session)
        let request = try #require(server.link.messages(of: .toolsCall).last)
        #expect(try declaresTasks(request))
        #expect(!request.routing.task.isPresent)
        server.link.answer(request, result: #"{"resultType":"task",\#(Self.task)}"#)
        bench.settle()
        return sink
    }

    private func answerGet(_ bench: GatewayBench, _ server: ScriptedServer, status: String = "working", _ more: String = "") throws {
        let request = try #require(server.link.messages(of: .tasksGet).last)
        #expect(try declaresTasks(request))
        let state = Self.task.replacing(#""status":"working""#, with: #""status":"\#(status)""#)
        server.link.answer(request, result: #"{"resultType":"complete",\#(state)\#(more)}"#)
        bench.settle()
    }

    private func later(_ bench: GatewayBench, _ amount: TimeAmount = .milliseconds(200)) {
        bench.loop.advanceTime(by: amount)
        bench.settle()
    }

    @Test("a call that asks for a task gets the task of the extension in the form of its revision")
    func creation() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try begin(bench, server, session)
        #expect(
            sink.result
                == #"{"task":{"taskId":"T1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000,"pollInterval":100}}"#
        )
        #expect(session.upstream(ofTask: "T1") == "s")
        #expect(try bench.request("tasks/get", #"{"taskId":"T1"}"#, in: bench.session()).errorCode == -32602)
    }

    @Test("a call without a task does not declare the extension")
    func undeclared() throws {
        let server = server()
        let bench = GatewayBench([server])
        _ = try bench.request("tools/call", #"{"name":"s__t"}"#, in: bench.session())
        #expect(try !declaresTasks(try #require(server.link.messages(of: .toolsCall).last)))
    }

    @Test("a server without the extension takes the call for a plain one, and so does one that a client of before 2025-11-25 calls")
    func ignored() throws {
        for (extensions, version) in [("{}", "2025-11-25"), (#"{"io.modelcontextprotocol/tasks":{}}"#, "2025-06-18")] {
            let server = server(extensions)
            let bench = GatewayBench([server])
            let sink = try bench.request("tools/call", #"{"name":"s__t","task":{}}"#, in: bench.session(version: version))
            let request = try #require(server.link.messages(of: .toolsCall).last)
            #expect(try !declaresTasks(request))
            server.link.answer(request, result: #"{"resultType":"complete","content":[]}"#)
            bench.settle()
            #expect(sink.result == #"{"resultType":"complete","content":[]}"#)
        }
    }

    @Test("an answer that comes at once is the result of a task that is over")
    func kept() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        let sink = try bench.request("tools/call", #"{"name":"s__t","task":{"ttl":5000}}"#, in: session)
        server.link.answer(
            try #require(server.link.messages(of: .toolsCall).last), result: #"{"resultType":"complete","content":[]}"#)
        bench.settle()
        let message = try #require(sink.messages.last)
        let task = message.json.member("task", of: message.result)
        let id = try #require(message.json.string(message.json.member("taskId", of: task)))
        #expect(message.json.string(message.json.member("status", of: task)) == "completed")
        #expect(message.json.integer(message.json.member("ttl", of: task)) == 5000)
        #expect(try bench.request("tasks/get", #"{"taskId":"\#(id)"}"#, in: session).result?.contains("completed") == true)
        #expect(
            try bench.request("tasks/result", #"{"taskId":"\#(id)"}"#, in: session).result
                == #"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"\#(id)"}},"resultType":"complete","content":[]}"#)
        #expect(try bench.request("tasks/list", in: session).result?.contains(id) == true)
        #expect(try bench.request("tasks/cancel", #"{"taskId":"\#(id)"}"#, in: session).errorCode == -32602)
        #expect(try bench.request("tasks/get", #"{"taskId":"\#(id)"}"#, in: bench.session()).errorCode == -32602)
        bench.advance(.seconds(6))
        #expect(try bench.request("tasks/get", #"{"taskId":"\#(id)"}"#, in: session).errorCode == -32602)
    }

    @Test("tasks/get tells a failed tool as a failed task")
    func failedTool() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        let sink = try bench.request("tasks/get", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server, status: "completed", #","result":{"content":[],"isError":true}"#)
        #expect(sink.result?.contains(#""status":"failed""#) == true)
        #expect(sink.result?.contains("isError") == false)
    }

    @Test("tasks/result waits for the end of the task and says what the call would have been answered")
    func result() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        let sink = try bench.request("tasks/result", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server)
        #expect(!sink.isOver)
        later(bench)
        #expect(server.link.messages(of: .tasksGet).count == 2)
        try answerGet(bench, server, status: "completed", #","result":{"content":[]}"#)
        #expect(sink.result == #"{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"T1"}},"content":[]}"#)
        let failed = try bench.request("tasks/result", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server, status: "failed", #","error":{"code":-32050,"message":"broken","data":1}"#)
        #expect(failed.texts == [#"{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":"broken","data":1}}"#])
        let cancelled = try bench.request("tasks/result", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server, status: "cancelled")
        #expect(cancelled.errorCode == -32603)
    }

    @Test("waiting for a task ends when the time of a call is over")
    func timeout() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        let sink = try bench.request("tasks/result", #"{"taskId":"T1"}"#, in: session)
        bench.loop.advanceTime(by: .minutes(59))
        try answerGet(bench, server)
        #expect(!sink.isOver)
        bench.loop.advanceTime(by: .minutes(2))
        try answerGet(bench, server)
        #expect(sink.errorCode == -32001)
        #expect(server.link.messages(of: .tasksCancel).isEmpty)
    }

    @Test("what the task asks is asked of the client that waits, once, and its answer goes to the server")
    func input() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        let sink = try bench.request("tasks/result", #"{"taskId":"T1"}"#, in: session)
        let inputs = #","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"Who?"}}}"#
        try answerGet(bench, server, status: "input_required", inputs)
        let question = try #require(sink.messages.last)
        #expect(question.methodName == .elicitationCreate)
        #expect(sink.texts.last?.contains(#""io.modelcontextprotocol/related-task":{"taskId":"T1"}"#) == true)
        later(bench)
        try answerGet(bench, server, status: "input_required", inputs)
        #expect(sink.events.count == 1)
        let id = try #require(question.idBytes.map { String(buffer: $0) })
        try bench.accept(#"{"jsonrpc":"2.0","id":\#(id),"result":{"action":"accept"}}"#, in: session)
        let update = try #require(server.link.messages(of: .tasksUpdate).last)
        #expect(update.json.slice(update.param("inputResponses")) == ByteBuffer(string: #"{"k":{"action":"accept"}}"#))
        #expect(try declaresTasks(update))
        server.link.answer(update, result: #"{"resultType":"complete"}"#)
        later(bench)
        try answerGet(bench, server, status: "completed", #","result":{"content":[]}"#)
        #expect(sink.isOver && sink.errorCode == nil)
    }

    @Test("cancelling tells what the task has become, and is refused when it is over")
    func cancelling() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        let sink = try bench.request("tasks/cancel", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server)
        server.link.answer(try #require(server.link.messages(of: .tasksCancel).last), result: #"{"resultType":"complete"}"#)
        bench.settle()
        try answerGet(bench, server)
        #expect(!sink.isOver)
        later(bench)
        try answerGet(bench, server, status: "cancelled")
        #expect(sink.result?.contains(#""status":"cancelled""#) == true)
        let again = try bench.request("tasks/cancel", #"{"taskId":"T1"}"#, in: session)
        try answerGet(bench, server, status: "cancelled")
        #expect(again.errorCode == -32602)
    }

    @Test("the list has the session's tasks, and forgets those that are gone")
    func list() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session()
        _ = try begin(bench, server, session)
        #expect(try bench.request("tasks/list", in: bench.session()).result == #"{"tasks":[]}"#)
        let sink = try bench.request("tasks/list", in: session)
        try answerGet(bench, server)
        #expect(sink.result?.contains(#""taskId":"T1""#) == true)
        let later = try bench.request("tasks/list", in: session)
        server.link.answer(try #require(server.link.messages(of: .tasksGet).last), code: -32602, error: "expired")
        bench.settle()
        #expect(later.result == #"{"tasks":[]}"#)
        #expect(session.upstream(ofTask: "T1") == nil)
    }

    @Test("a call that the server cannot answer without a task is waited for")
    func waiting() throws {
        let server = server()
        let bench = GatewayBench([server])
        let session = try bench.session(version: "2025-06-18")
        let sink = try bench.request("tools/call", #"{"name":"s__t"}"#, in: session)
        func refuse() throws {
            let request = try #require(server.link.messages(of: .toolsCall).last)
            server.link.receive(
                #"{"jsonrpc":"2.0","id":\#(request.idBytes.map { String(buffer: $0) } ?? ""),"error":{"code":-32021,"message":"tasks","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}"#
            )
            bench.settle()
        }
        try refuse()
        let second = try #require(server.link.messages(of: .toolsCall).last)
        #expect(try declaresTasks(second))
        server.link.answer(second, result: #"{"resultType":"task",\#(Self.task)}"#)
        bench.settle()
        try answerGet(bench, server)
        #expect(!sink.isOver)
        later(bench)
        try answerGet(bench, server, status: "completed", #","result":{"content":[]}"#)
        #expect(sink.result == #"{"content":[]}"#)
        // A client that leaves takes the task back.
        let cancelled = try bench.request("tools/call", #"{"name":"s__t"}"#, id: "2", in: session)
        try refuse()
        server.link.answer(try #require(server.link.messages(of: .toolsCall).last), result: #"{"resultType":"task",\#(Self.task)}"#)
        bench.settle()
        try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#, in: session)
        #expect(cancelled.isOver)
        #expect(server.link.messages(of: .tasksCancel).count == 1)
    }

    @Test("clients of 2025-11-25, and no others, learn that they may ask for tasks")
    func capabilities() throws {
        let server = server()
        let bench = GatewayBench([server])
        for endpoint in [nil, "s"] {
            let response = try bench.create(GatewayBench.initialize(), server: endpoint).get()
            let text = String(buffer: response.response)
            #expect(text.contains(#""tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#))
            let tools = try bench.request("tools/list", in: response.session).result
            #expect(tools?.contains(#"{"execution":{"taskSupport":"optional"},"name":""#) == true)
            let older = try bench.create(GatewayBench.initialize(version: "2025-06-18"), server: endpoint).get()
            #expect(!String(buffer: older.response).contains(#""tasks""#))
            #expect(try bench.request("tools/list", in: older.session).result?.contains("taskSupport") == false)
            #expect(try bench.modern("tools/list", server: endpoint).sink.result("tools")?.contains("taskSupport") == false)
        }
    }
}
