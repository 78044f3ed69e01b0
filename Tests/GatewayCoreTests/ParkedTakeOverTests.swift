import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite("An exchange that was parked at a process that is gone")
struct ParkedTakeOverTests {
    private func server() -> ScriptedServer {
        ScriptedServer(
            "s", isolation: .session, lists: [.tools: #"{"name":"put","annotations":{"idempotentHint":true}},{"name":"add"}"#])
    }

    private func ask(_ id: Int, _ text: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"elicitation/create","params":{"_meta":{"n":\#(id)},"message":"\#(text)","requestedSchema":{}}}"#
    }

    private struct Asked {
        let state: String
        let keys: [String]

        init(_ sink: RecordingSink) throws {
            #expect(sink.text("resultType") == "input_required")
            let message = try #require(sink.messages.last)
            var keys: [String] = []
            message.json.forEachMemberSpan(of: message.json.member("inputRequests", of: message.result)) { key, _ in
                keys.append(message.json.key(key))
            }
            self.keys = keys
            state = try #require(sink.text("requestState"))
        }
    }

    /// What a first process asked its client, before it ended.
    private func asked(tool: String, _ questions: [String]) throws -> Asked {
        let server = server()
        let bench = GatewayBench([server])
        let call = try bench.modern("tools/call", "\"name\":\"s__\(tool)\"")
        for (id, question) in questions.enumerated() { server.link.receive(ask(id, question)) }
        bench.settle()
        // What is asked after the first question is asked with the retry.
        guard questions.count > 1 else { return try Asked(call.sink) }
        let first = try Asked(call.sink)
        return try Asked(try retry(bench, tool: tool, first.state, []).sink)
    }

    private func retry(_ bench: GatewayBench, tool: String, _ state: String, _ answers: [(key: String, name: String)], id: String = "2")
        throws
        -> GatewayBench.ModernCall
    {
        let responses = answers.map { #""\#($0.key)":{"action":"accept","content":{"name":"\#($0.name)"}}"# }.joined(separator: ",")
        return try bench.modern(
            "tools/call", #""name":"s__\#(tool)","inputResponses":{\#(responses)},"requestState":"\#(state)""#, id: id)
    }

    @Test("is begun anew where that is safe, and the same question is answered with what the client brought")
    func sameQuestion() throws {
        let before = try asked(tool: "put", ["who?"])
        let server = server()
        let bench = GatewayBench([server])
        let call = try retry(bench, tool: "put", before.state, [(before.keys[0], "Ann")])
        let request = try #require(server.link.messages(of: .toolsCall).first)
        #expect(server.link.texts.allSatisfy { !$0.contains("requestState") && !$0.contains("inputResponses") })
        // What is in `_meta` makes no other question of it.
        server.link.receive(ask(7, "who?"))
        bench.settle()
        #expect(server.link.texts.last == #"{"jsonrpc":"2.0","id":7,"result":{"action":"accept","content":{"name":"Ann"}}}"#)
        #expect(bench.gateway.parkedExchangeCount == 0)
        // Asked once more, it is a new question: an answer is good once.
        server.link.receive(ask(8, "who?"))
        bench.settle()
        let again = try Asked(call.sink)
        let last = try retry(bench, tool: "put", again.state, [(again.keys[0], "Bob")], id: "3")
        server.link.answer(request, result: #"{"content":[]}"#)
        bench.settle()
        #expect(last.sink.text("resultType") == "complete")
        #expect(last.sink.messages.last?.idBytes == ByteBuffer(string: "3"))
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("another question goes to the client")
    func anotherQuestion() throws {
        let before = try asked(tool: "put", ["who?"])
        let server = server()
        let bench = GatewayBench([server])
        let call = try retry(bench, tool: "put", before.state, [(before.keys[0], "Ann")])
        server.link.receive(ask(7, "why?"))
        bench.settle()
        #expect(try Asked(call.sink).keys.count == 1)
        // The first comes later and has its answer.
        server.link.receive(ask(8, "who?"))
        bench.settle()
        #expect(server.link.texts.last?.contains("Ann") == true)
    }

    @Test("of several questions each gets its own answer, in whatever order they are asked again")
    func severalQuestions() throws {
        let before = try asked(tool: "put", ["who?", "why?"])
        #expect(before.keys.count == 2)
        let server = server()
        let bench = GatewayBench([server])
        _ = try retry(bench, tool: "put", before.state, [(before.keys[1], "because"), (before.keys[0], "Ann"), ("other", "x")])
        server.link.receive(ask(7, "why?"))
        server.link.receive(ask(8, "who?"))
        bench.settle()
        #expect(server.link.texts.suffix(2).map { $0.contains("because") } == [true, false])
        #expect(server.link.texts.last?.contains("Ann") == true)
    }

    /// One question after the other, each at the process that is there; what the client answers to the last it brings to the next process.
    private func rounds(_ rounds: [(question: String, answer: String)]) throws -> (state: Asked, answers: [(key: String, name: String)]) {
        let server = server()
        let bench = GatewayBench([server])
        var call = try bench.modern("tools/call", "\"name\":\"s__put\"")
        for (number, round) in rounds.enumerated() {
            server.link.receive(ask(number, round.question))
            bench.settle()
            let asked = try Asked(call.sink)
            let answers = [(key: asked.keys[0], name: round.answer)]
            guard number < rounds.count - 1 else { return (asked, answers) }
            call = try retry(bench, tool: "put", asked.state, answers, id: "\(number + 10)")
        }
        throw CancellationError()
    }

    @Test("what the client answered in earlier rounds is answered for it too, however many processes end")
    func earlierRounds() throws {
        let before = try rounds([("who?", "Ann"), ("why?", "because"), ("when?", "now")])
        let second = server()
        let bench = GatewayBench([second])
        let call = try retry(bench, tool: "put", before.state.state, before.answers)
        for (id, question) in ["who?", "why?"].enumerated() { second.link.receive(ask(id, question)) }
        bench.settle()
        #expect(second.link.texts.suffix(2).map { $0.contains("Ann") } == [true, false])
        #expect(second.link.texts.last?.contains("because") == true)
        // What was not asked again yet is not forgotten.
        second.link.receive(ask(2, "where?"))
        bench.settle()
        let asked = try Asked(call.sink)
        #expect(asked.keys.count == 1)
        let third = server()
        let last = GatewayBench([third])
        _ = try retry(last, tool: "put", asked.state, [(asked.keys[0], "here")], id: "3")
        for (id, question) in ["when?", "where?", "why?", "who?"].enumerated() { third.link.receive(ask(id, question)) }
        last.settle()
        let given = third.link.texts.suffix(4)
        #expect(zip(given, ["now", "here", "because", "Ann"]).allSatisfy { $0.contains($1) })
        #expect(last.gateway.parkedExchangeCount == 0)
    }

    @Test("the same question of several rounds gets its answers in their order")
    func sameQuestionAgain() throws {
        let before = try rounds([("next?", "one"), ("next?", "two"), ("next?", "three")])
        let server = server()
        let bench = GatewayBench([server])
        _ = try retry(bench, tool: "put", before.state.state, before.answers)
        for id in 0..<3 { server.link.receive(ask(id, "next?")) }
        bench.settle()
        #expect(zip(server.link.texts.suffix(3), ["one", "two", "three"]).allSatisfy { $0.contains($1) })
    }

    @Test("answers beyond what a state may hold are asked for again, and no other is taken for them")
    func bound() throws {
        let large = String(repeating: "x", count: KnownAnswer.maxBytes)
        let before = try rounds([("who?", "Ann"), ("next?", large), ("next?", "two"), ("why?", "because")])
        #expect(before.state.state.utf8.count < 2 * KnownAnswer.maxBytes)
        let server = server()
        let bench = GatewayBench([server])
        let call = try retry(bench, tool: "put", before.state.state, before.answers)
        server.link.receive(ask(0, "who?"))
        bench.settle()
        #expect(server.link.texts.last?.contains("Ann") == true)
        server.link.receive(ask(1, "next?"))
        bench.settle()
        let asked = try Asked(call.sink)
        _ = try retry(bench, tool: "put", asked.state, [(asked.keys[0], "one")], id: "3")
        #expect(server.link.texts.last?.contains("one") == true)
        for (id, question) in ["next?", "why?"].enumerated() { server.link.receive(ask(id + 2, question)) }
        bench.settle()
        #expect(zip(server.link.texts.suffix(2), ["two", "because"]).allSatisfy { $0.contains($1) })
    }

    @Test("ends in an error where that is not safe, and its state carries nothing for it")
    func notRepeatable() throws {
        let before = try asked(tool: "add", ["who?"])
        let server = server()
        let bench = GatewayBench([server])
        let call = try retry(bench, tool: "add", before.state, [(before.keys[0], "Ann")])
        #expect(call.sink.errorCode == -32602)
        #expect(call.sink.texts.last?.contains("what it did is unknown") == true)
        #expect(server.factory.links.allSatisfy { $0.messages(of: .toolsCall).isEmpty })
        #expect(before.state.utf8.count < (try asked(tool: "put", ["who?"])).state.utf8.count)
        #expect(before.state.utf8.count < 220)
    }
}
