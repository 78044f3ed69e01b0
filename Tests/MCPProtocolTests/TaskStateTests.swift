import MCPProtocol
import NIOCore
import Testing

@Suite("Tasks of both eras") struct TaskStateTests {
    private func state(_ text: String, _ era: Revision.Era) throws -> TaskState? {
        let json = try JSONText(validating: ByteBuffer(string: text))
        return TaskState(json.root, in: json, era: era)
    }

    private func declared(_ text: String, removing: [StaticString] = []) -> String {
        String(buffer: TasksExtension.declared(in: ByteBuffer(string: text), removing: removing))
    }

    @Test("a task keeps what both eras have, under the names of each")
    func names() throws {
        let legacy =
            #"{"taskId":"a\"b","status":"working","statusMessage":"s","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-02T00:00:00Z","ttl":1e3,"pollInterval":5}"#
        let modern =
            #"{"taskId":"a\"b","status":"working","statusMessage":"s","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-02T00:00:00Z","ttlMs":1e3,"pollIntervalMs":5}"#
        #expect(try state(legacy, .legacy).map { String(buffer: $0.modern(id: $0.id)) } == modern)
        #expect(try state(modern, .modern).map { String(buffer: $0.legacy()) } == legacy)
    }

    @Test("what a task must have is there, also when its server left it out")
    func defaults() throws {
        let task = try #require(try state(#"{"taskId":"a","status":"completed"}"#, .legacy))
        #expect(
            String(buffer: task.modern(id: "s__a", members: ByteBuffer(string: #""resultType":"task""#)))
                == #"{"resultType":"task","taskId":"s__a","status":"completed","createdAt":"1970-01-01T00:00:00Z","lastUpdatedAt":"1970-01-01T00:00:00Z","ttlMs":null}"#
        )
    }

    @Test(
        "what is no task is none",
        arguments: ["[]", "{}", #"{"taskId":1,"status":"working"}"#, #"{"taskId":"a"}"#, #"{"taskId":"a","status":"dreaming"}"#])
    func broken(text: String) throws {
        #expect(try state(text, .modern) == nil)
    }

    @Test("a tool's own error is a failed task to the legacy era, and detail belongs to its status")
    func toolError() throws {
        let task = try #require(
            try state(#"{"taskId":"a","status":"completed","result":{"isError":true},"inputRequests":{},"error":{}}"#, .modern))
        #expect(String(buffer: task.legacy()).contains(#""status":"failed""#))
        let modern = String(buffer: task.modern(id: "a"))
        #expect(modern.hasSuffix(#","result":{"isError":true}}"#) && !modern.contains("inputRequests") && !modern.contains("error\":{"))
    }

    @Test("the extension is added to what is declared, once, and other members stay")
    func declaring() {
        #expect(declared("{}") == #"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#)
        #expect(
            declared(#"{"roots":{},"extensions":{"x/y":{"a":1}}}"#)
                == #"{"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{"a":1}},"roots":{}}"#)
        let full = #"{"extensions":{"io.modelcontextprotocol\/tasks":{}}}"#
        #expect(declared(full) == full)
        #expect(
            declared(#"{"tasks":{"list":{}},"tools":{}}"#, removing: ["tasks"])
                == #"{"extensions":{"io.modelcontextprotocol/tasks":{}},"tools":{}}"#)
        #expect(declared("[]") == #"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#)
        #expect(
            String(buffer: TasksExtension.legacy(ByteBuffer(string: #"{"tools":{},"tasks":1}"#)))
                == #"{"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}},"tools":{}}"#)
    }

    @Test("an error that needs the extension is told from others")
    func required() throws {
        func isRequired(_ text: String) throws -> Bool {
            let json = try JSONText(validating: ByteBuffer(string: text))
            return TasksExtension.isRequired(by: json.root, in: json)
        }
        let data = String(buffer: TasksExtension.requiredCapabilities)
        #expect(try isRequired(#"{"code":-32021,"message":"m","data":\#(data)}"#))
        #expect(try !isRequired(#"{"code":-32020,"message":"m","data":\#(data)}"#))
        #expect(try !isRequired(#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"elicitation":{}}}}"#))
        #expect(try !isRequired(#"{"code":-32021,"message":"m"}"#))
    }

    @Test("a filter of a subscription has its tasks behind its resources")
    func filter() {
        #expect(
            String(buffer: SubscriptionFilter.json(flags: ["toolsListChanged"], uris: ["x"], taskIDs: ["a", "b"]))
                == #"{"toolsListChanged":true,"resourceSubscriptions":["x"],"taskIds":["a","b"]}"#)
        #expect(String(buffer: SubscriptionFilter.json(flags: [], uris: nil, taskIDs: [])) == #"{"taskIds":[]}"#)
    }
}
