import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct MethodAndRevisionTests {
    private static let methods: [(name: String, method: MCPProtocol.Method)] = [
        ("initialize", .initialize), ("notifications/initialized", .initialized), ("ping", .ping), ("notifications/cancelled", .cancelled),
        ("notifications/progress", .progress), ("tools/list", .toolsList), ("tools/call", .toolsCall), ("prompts/list", .promptsList),
        ("prompts/get", .promptsGet), ("resources/list", .resourcesList), ("resources/templates/list", .resourcesTemplatesList),
        ("resources/read", .resourcesRead), ("resources/subscribe", .resourcesSubscribe), ("resources/unsubscribe", .resourcesUnsubscribe),
        ("notifications/resources/updated", .resourcesUpdated), ("completion/complete", .completionComplete),
        ("logging/setLevel", .loggingSetLevel),
        ("notifications/message", .loggingMessage), ("notifications/tools/list_changed", .toolsListChanged),
        ("notifications/prompts/list_changed", .promptsListChanged), ("notifications/resources/list_changed", .resourcesListChanged),
        ("roots/list", .rootsList), ("notifications/roots/list_changed", .rootsListChanged),
        ("sampling/createMessage", .samplingCreateMessage),
        ("elicitation/create", .elicitationCreate), ("notifications/elicitation/complete", .elicitationComplete), ("tasks/get", .tasksGet),
        ("tasks/result", .tasksResult), ("tasks/list", .tasksList), ("tasks/cancel", .tasksCancel),
        ("notifications/tasks/status", .tasksStatus),
    ]

    @Test("Every method has its name on the wire and is found by it, escaped or not", arguments: methods.indices)
    func roundTrip(_ index: Int) throws {
        let (name, method) = Self.methods[index]
        #expect(method.name == name)
        #expect(MCPProtocol.Method(name) == method)
        let plain = try Message.parse(ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"method\":\"\(name)\"}"))
        #expect(plain.methodName == method)
        let escaped = name.unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
        let message = try Message.parse(ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"method\":\"\(escaped)\"}"))
        #expect(message.methodName == method)
    }

    @Test("Other methods pass through under their name", arguments: ["", "x", "tools/List", "tools/call ", "vendor/é"])
    func others(_ name: String) throws {
        #expect(MCPProtocol.Method(name) == .other(name))
        #expect(MCPProtocol.Method(name).name == name)
        let message = try Message.parse(MessageWriter.notification(method: name))
        #expect(message.methodName == .other(name))
    }

    @Test("A response has no method")
    func response() throws {
        #expect(try Message.parse(ByteBuffer(string: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}")).methodName == .other(""))
    }

    @Test("Revisions are ordered by date and know their features")
    func revisions() {
        #expect(Revision.allCases == Revision.allCases.sorted())
        #expect(Revision.allCases.map(\.rawValue) == ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])
        #expect(Revision.allCases.map(\.hasBatches) == [true, true, false, false, false])
        #expect(Revision.allCases.map(\.hasPrimingEvents) == [false, false, false, true, false])
        #expect(Revision.assumedWithoutHeader == .v2025_03_26)
    }

    @Test("A known revision is agreed on, else the newest is offered")
    func negotiation() {
        for revision in Revision.legacy { #expect(Revision.negotiate(requested: revision.rawValue) == revision) }
        #expect(Revision.negotiate(requested: "2026-07-28") == .v2025_11_25)
        for text in ["", "1999-01-01", "2099-01-01", "2025-11-25 ", "draft"] {
            #expect(Revision.negotiate(requested: text) == .v2025_11_25)
        }
    }
}
