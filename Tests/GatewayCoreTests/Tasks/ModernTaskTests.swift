import MCPProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite("Tasks of legacy servers for modern clients") struct ModernTaskTests {
    private static let capabilities = #"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#
    private static let declared = #"{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#
    private static let task =
        #""taskId":"T1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttl":60000,"pollInterval":50"#

    private func server(_ support: String = "optional", isolation: Isolation = .shared) -> ScriptedServer {
        ScriptedServer(
            "s", isolation: isolation, capabilities: Self.capabilities,
            lists: [.tools: #"{"name":"t","execution":{"taskSupport":"\#(support)"}},{"name":"plain"}"#])
    }

    /// Calls the tool and lets the server answer with a task.
    private func begin(_ bench: GatewayBench, _ server: ScriptedServer, endpoint: String? = nil) throws -> GatewayBench.ModernCall {
        let call = try bench.modern(
            "tools/call", endpoint == nil ? #""name":"s__t""# : #""name":"t""#, capabilities: Self.declared, server: endpoint)
        let request = try #require(server.link.messages(of: .toolsCall).last)
        #expect(request.json.slice(request.routing.task) == ByteBuffer(string: "{}"))
        server.link.answer(request, result: #"{"task":{\#(Self.task)}}"#)
        bench.settle()
        return call
    }

    private func get(_ bench: GatewayBench, _ id: String = "s__T1") throws -> GatewayBench.ModernCall {
        try bench.modern("tasks/get", #""taskId":"\#(id)""#, capabilities: Self.declared)
    }

    private func answerGet(_ server: ScriptedServer, status: String, _ bench: GatewayBench) throws {
        let request = try #require(server.link.messages(of: .tasksGet).last)
        server.link.answer(
            request, result: "{\(Self.task.replacing(#""status":"working""#, with: #""status":"\#(status)""#))}")
        bench.settle()
    }

    @Test("a call of a tool that may run as a task becomes one, and is told in the form of the extension")
    func creation() throws {
        let server = server()
        let bench = GatewayBench([server])
        let call = try begin(bench, server)
        #expect(call.sink.text("resultType") == "task")
        #expect(call.sink.text("taskId") == "s__T1")
        #expect(call.sink.result("ttlMs") == "60000")
        #expect(call.sink.result("pollIntervalMs") == "50")
        #expect(call.sink.result("ttl") == nil)
        #expect(try begin(bench, server, endpoint: "s").sink.text("taskId") == "T1")
    }

    @Test("tools that are no tasks, and clients without the extension, are called as ever")
    func plain() throws {
        let server = server()
        let bench = GatewayBench([server])
        _ = try bench.modern("tools/call", #""name":"s__plain""#, capabilities: Self.declared)
        _ = try bench.modern("tools/call", #""name":"s__t""#)
        let calls = server.link.messages(of: .toolsCall)
        #expect(calls.count == 2 && calls.allSatisfy { !$0.routing.task.isPresent })
    }

    @Test("tasks/get tells the state, and the result when there is one")
    func polling() throws {
        let server = server()
        let bench = GatewayBench([server])
        _ = try begin(bench, server)
        let working = try get(bench)
        try answerGet(server, status: "working", bench)
        #expect(working.sink.text("resultType") == "complete" && working.sink.text("status") == "working")
        let completed = try get(bench)
        try answerGet(server, status: "failed", bench)
        // A tool's own error is a result to the modern era.
        server.link.answer(
            try #require(server.link.messages(of: .tasksResult).last), result: #"{"content":[],"isError":true}"#)
        bench.settle()
        #expect(completed.sink.text("status") == "completed")
        #expect(completed.sink.result("result") == #"{"content":[],"isError":true}"#)
        let failed = try get(bench)
        try answerGet(server, status: "failed", bench)
        server.link.answer(try #require(server.link.messages(of: .tasksResult).last), code: -32050, error: "broken")
        bench.settle()
        #expect(failed.sink.text("status") == "failed" && failed.sink.text("statusMessage") == "broken")
        #expect(failed.sink.result("error") == #"{"code":-32050,"message":"broken"}"#)
        let unknown = try get(bench)
        server.link.answer(try #require(server.link.messages(of: .tasksGet).last), code: -32602, error: "unknown")
        bench.settle()
        #expect(unknown.sink.errorCode == -32602)
    }

    @Test("cancelling is acknowledged, also of a task that is over, and refused for one that is not known")
    func cancelling() throws {
        let server = server()
        let bench = GatewayBench([server])
        _ = try begin(bench, server)
        func cancel() throws -> GatewayBench.ModernCall {
            try bench.modern("tasks/cancel", #""taskId":"s__T1""#, capabilities: Self.declared)
        }
        let first = try cancel()
        server.link.answer(try #require(server.link.messages(of: .tasksCancel).last), result: "{\(Self.task)}")
        bench.settle()
        #expect(first.sink.text("resultType") == "complete" && first.sink.text("status") == nil)
        let second = try cancel()
        server.link.answer(try #require(server.link.messages(of: .tasksCancel).last), code: -32602, error: "over")
        bench.settle()
        try answerGet(server, status: "completed", bench)
        #expect(second.sink.text("resultType") == "complete")
        let third = try cancel()
        server.link.answer(try #require(server.link.messages(of: .tasksCancel).last), code: -32602, error: "unknown")
        bench.settle()
        server.link.answer(try #require(server.link.messages(of: .tasksGet).last), code: -32602, error: "unknown")
        bench.settle()
        #expect(third.sink.errorCode == -32602)
    }

    @Test("what a task in a process of its own asks comes with tasks/get and is answered by tasks/update")
    func input() throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server])
        let call = try begin(bench, server)
        #expect(call.sink.text("resultType") == "task")
        let own = server.link
        own.receive(
            #"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}}"#
        )
        bench.settle()
        let asked = try get(bench)
        try answerGet(server, status: "input_required", bench)
        #expect(asked.sink.text("status") == "input_required")
        let inputs = try #require(asked.sink.messages.last)
        let requests = inputs.json.member("inputRequests", of: inputs.result)
        var keys: [String] = []
        inputs.json.forEachMemberSpan(of: requests) { key, _ in keys.append(inputs.json.key(key)) }
        #expect(keys.count == 1)
        // The server may want to be asked for the result before it asks itself.
        #expect(own.messages(of: .tasksResult).count == 1)
        let update = try bench.modern(
            "tasks/update", #""taskId":"s__T1","inputResponses":{"\#(keys[0])":{"action":"accept"},"other":{}}"#,
            capabilities: Self.declared)
        #expect(update.sink.text("resultType") == "complete")
        #expect(own.texts.contains(#"{"jsonrpc":"2.0","id":"q","result":{"action":"accept"}}"#))
        let after = try get(bench)
        try answerGet(server, status: "input_required", bench)
        #expect(after.sink.text("status") == "working")
        #expect(server.factory.links.last === own)
    }

    @Test("what is asked for a task before the server has said that it made one is asked by the task", arguments: [true, false])
    func earlyInput(isMarked: Bool) throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#, capabilities: Self.declared)
        let own = server.link
        let mark = isMarked ? #""_meta":{"io.modelcontextprotocol/related-task":{"taskId":"T1"}},"# : ""
        // Streams of HTTP keep no order among them.
        own.receive(
            #"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{\#(mark)"message":"Who?","requestedSchema":{}}}"#)
        bench.settle()
        guard isMarked else { return #expect(call.sink.text("resultType") == "input_required") }
        #expect(call.sink.texts.isEmpty)
        own.answer(try #require(own.messages(of: .toolsCall).last), result: #"{"task":{\#(Self.task)}}"#)
        bench.settle()
        #expect(call.sink.text("resultType") == "task" && call.sink.text("taskId") == "s__T1")
        let asked = try get(bench)
        try answerGet(server, status: "input_required", bench)
        #expect(asked.sink.text("status") == "input_required")
        #expect(asked.sink.result("inputRequests")?.contains("Who?") == true)
    }

    @Test("a call waits until it is known which tools run as tasks")
    func unknownTools() throws {
        let server = ScriptedServer("s", capabilities: Self.capabilities, answersLists: false)
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#, capabilities: Self.declared)
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        server.link.answer(
            try #require(server.link.messages(of: .toolsList).last),
            result: #"{"tools":[{"name":"t","execution":{"taskSupport":"optional"}}]}"#)
        bench.settle()
        let request = try #require(server.link.messages(of: .toolsCall).last)
        #expect(request.json.slice(request.routing.task) == ByteBuffer(string: "{}"))
        #expect(call.sink.texts.isEmpty)
    }

    @Test("a process is kept for its task, and works for others when the task is over")
    func holding() throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server])
        _ = try begin(bench, server)
        let own = server.link
        let links = server.factory.links.count
        // Another call does not get the process.
        _ = try bench.modern("tools/call", #""name":"s__plain""#, capabilities: Self.declared)
        #expect(server.factory.links.count == links + 1)
        server.link.answer(try #require(server.link.messages(of: .toolsCall).last), result: #"{"content":[]}"#)
        bench.settle()
        let completed = try get(bench)
        let request = try #require(own.messages(of: .tasksGet).last)
        own.answer(request, result: "{\(Self.task.replacing("working", with: "completed"))}")
        bench.settle()
        own.answer(try #require(own.messages(of: .tasksResult).last), result: #"{"content":[]}"#)
        bench.settle()
        #expect(completed.sink.text("status") == "completed")
        // Known without the process.
        let count = own.messages(of: .tasksGet).count
        #expect(try get(bench).sink.text("status") == "completed")
        #expect(own.messages(of: .tasksGet).count == count)
        _ = try bench.modern("tools/call", #""name":"s__plain""#, capabilities: Self.declared)
        _ = try bench.modern("tools/call", #""name":"s__plain""#, capabilities: Self.declared)
        #expect(server.factory.links.count == links + 1)
    }

    @Test("a server that says that a task is over is asked what it came to, and its process works for others")
    func saysSo() throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server])
        _ = try begin(bench, server)
        let own = server.link
        for status in ["working", "completed"] {
            own.receive(
                #"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{\#(Self.task.replacing("working", with: status))}}"#)
            bench.settle()
        }
        let asked = own.messages(of: .tasksGet)
        #expect(asked.count == 1)
        // Who asks meanwhile shares the answer.
        let call = try get(bench)
        #expect(own.messages(of: .tasksGet).count == 1)
        own.answer(asked[0], result: "{\(Self.task.replacing("working", with: "completed"))}")
        bench.settle()
        own.answer(try #require(own.messages(of: .tasksResult).last), result: #"{"content":[]}"#)
        bench.settle()
        #expect(call.sink.result("result") == #"{"content":[]}"#)
        let links = server.factory.links.count
        _ = try bench.modern("tools/call", #""name":"s__plain""#, capabilities: Self.declared)
        #expect(server.factory.links.count == links)
        for (method, more) in [("tasks/cancel", ""), ("tasks/update", #","inputResponses":{}"#)] {
            let call = try bench.modern(method, #""taskId":"s__T1"\#(more)"#, capabilities: Self.declared)
            #expect(call.sink.text("resultType") == "complete")
        }
    }

    @Test("a held process makes no room for another, is stopped when nobody asks about its task, and ends with its server")
    func bounds() throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server])
        func configure(_ name: String) {
            var definition = server.definition
            definition.maxSessionProcesses = 1
            definition.idleTimeout = .seconds(10)
            bench.gateway.setUpstreams([
                UpstreamDefinition(copying: definition, fingerprint: name)
            ])
            bench.settle()
        }
        configure("1")
        _ = try begin(bench, server)
        let own = server.link
        #expect(try bench.modern("tools/call", #""name":"s__plain""#).sink.errorCode == -32603)
        #expect(!own.isClosing)
        bench.loop.advanceTime(by: .seconds(12))
        bench.settle()
        #expect(own.isClosing)
        #expect(try get(bench).sink.errorCode == -32602)
        _ = try begin(bench, server)
        configure("2")
        #expect(try get(bench).sink.errorCode == -32602)
    }

    @Test("only so many tasks hold a process")
    func limit() throws {
        let server = server(isolation: .session)
        let bench = GatewayBench([server]) { $0.maxParkedExchanges = 1 }
        _ = try begin(bench, server)
        let call = try bench.modern("tools/call", #""name":"s__t""#, capabilities: Self.declared)
        #expect(call.sink.errorCode == -32603)
        #expect(call.sink.texts.last?.contains("limits.maxParkedExchanges") == true)
    }

    @Test("a tool that only runs as a task is waited for when the client has no tasks")
    func waiting() throws {
        let server = server("required")
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        let request = try #require(server.link.messages(of: .toolsCall).last)
        #expect(request.routing.task.isPresent)
        server.link.answer(request, result: #"{"task":{\#(Self.task)}}"#)
        bench.settle()
        #expect(!call.sink.isOver)
        server.link.answer(try #require(server.link.messages(of: .tasksResult).last), result: #"{"content":[]}"#)
        bench.settle()
        #expect(call.sink.text("resultType") == "complete" && call.sink.result("content") == "[]")
    }

    @Test("a client that leaves takes the task back that was waited for")
    func leaving() throws {
        let server = server("required")
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", #""name":"s__t""#)
        server.link.answer(try #require(server.link.messages(of: .toolsCall).last), result: #"{"task":{\#(Self.task)}}"#)
        bench.settle()
        call.exchange.cancel()
        bench.settle()
        #expect(server.link.messages(of: .tasksCancel).count == 1)
    }

    @Test("who has not declared the extension learns which one it takes")
    func undeclared() throws {
        let bench = GatewayBench([server()])
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let call = try bench.modern(method, #""taskId":"s__T1""#)
            #expect(call.sink.errorCode == -32021)
            #expect(
                call.sink.texts.last?.contains(#"{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#) == true)
        }
    }

    @Test("server/discover tells of the extension")
    func discovery() throws {
        let bench = GatewayBench([server()])
        for endpoint in [nil, "s"] {
            let call = try bench.modern("server/discover", server: endpoint)
            let capabilities = call.sink.result("capabilities") ?? ""
            #expect(capabilities.contains(#""extensions":{"io.modelcontextprotocol/tasks":{}}"#))
            #expect(!capabilities.contains(#""tasks":{"#))
        }
    }
}

extension UpstreamDefinition {
    /// The same of another configuration.
    fileprivate init(copying other: UpstreamDefinition, fingerprint: String) {
        self.init(name: other.name, isolation: other.isolation, factory: other.factory, fingerprint: fingerprint)
        callTimeout = other.callTimeout
        era = other.era
        maxSessionProcesses = other.maxSessionProcesses
        idleTimeout = other.idleTimeout
    }
}
