import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct MessageTests {
    private func parse(_ text: String) throws -> Message { try Message.parse(ByteBuffer(string: text)) }

    private func error(_ text: String) -> MessageError? {
        do throws(MessageError) {
            _ = try Message.parse(ByteBuffer(string: text))
            return nil
        } catch {
            return error
        }
    }

    private func text(_ buffer: ByteBuffer?) -> String? { buffer.map { String(buffer: $0) } }

    @Test("The members tell what kind a message is")
    func kinds() throws {
        #expect(try parse(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).kind == .request)
        #expect(try parse(#"{"jsonrpc":"2.0","method":"ping"}"#).kind == .notification)
        #expect(try parse(#"{"jsonrpc":"2.0","id":1,"result":{}}"#).kind == .response)
        #expect(try parse(#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#).kind == .errorResponse)
        #expect(try parse(#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#).kind == .errorResponse)
        #expect(try parse(#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#).kind == .errorResponse)
    }

    @Test("The envelope is read in any order and with white space")
    func order() throws {
        let message = try parse(" { \"params\" : {\"a\":1} , \"method\" : \"tools/call\" , \"id\" : \"x\" , \"jsonrpc\" : \"2.0\" } ")
        #expect(message.kind == .request)
        #expect(message.methodName == .toolsCall)
        #expect(text(message.idBytes) == "\"x\"")
        #expect(message.json.integer(message.param("a")) == 1)
        #expect(message.param("b") == .absent)
    }

    @Test("Ids are kept raw", arguments: ["\"a\"", "\"\"", "\"1\"", "1", "0", "-1", "12345678901234567890", "\"\\u0061\""])
    func ids(_ id: String) throws {
        #expect(text(try parse("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"ping\"}").idBytes) == id)
        #expect(text(try parse("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{}}").idBytes) == id)
    }

    @Test("Ids that are neither strings nor numbers are refused", arguments: ["{}", "[]", "true", "false", "null", "{\"a\":1}"])
    func badIDs(_ id: String) {
        guard case .notAMessage = error("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"ping\"}") else {
            Issue.record("id \(id) was accepted")
            return
        }
    }

    @Test("Ids with a fraction are refused (base protocol: string or integer)", arguments: ["1.5", "1e2"])
    func fractionalIDs(_ id: String) {
        #expect(error("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"ping\"}") != nil)
    }

    @Test(
        "JSON that is no message is an invalid request",
        arguments: [
            "[]", "1", "null", "\"x\"", "{}", #"{"jsonrpc":"2.0"}"#, #"{"jsonrpc":"2.0","id":1}"#, #"{"id":1,"method":"ping"}"#,
            #"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, #"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
            #"{"jsonrpc":"2.0","id":1,"method":1}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"a","params":[1]}"#, #"{"jsonrpc":"2.0","id":1,"method":"a","params":null}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#, #"{"jsonrpc":"2.0","id":1,"method":"a","error":{}}"#,
            #"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, #"{"jsonrpc":"2.0","result":{}}"#,
            #"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            #"{"jsonrpc":"2.0","id":1,"error":"x"}"#,
        ])
    func invalidRequests(_ raw: String) {
        let error = error(raw)
        guard case .notAMessage = error else {
            Issue.record("\(raw) gave \(String(describing: error))")
            return
        }
        #expect(error?.rpcError.code == .invalidRequest)
    }

    @Test(
        "What is no JSON is a parse error",
        arguments: ["", "{", "x", #"{"jsonrpc":"2.0","id":1,"method":"ping"}}"#, #"{"jsonrpc":"2.0",}"#])
    func parseErrors(_ raw: String) {
        let error = error(raw)
        #expect(error?.rpcError.code == .parseError)
        #expect(error?.id == nil)
    }

    @Test("A refused message names its id where it has a usable one")
    func errorID() {
        #expect(text(error(#"{"id":7,"method":"ping"}"#)?.id) == "7")
        #expect(text(error(#"{"jsonrpc":"2.0","id":"a","method":1}"#)?.id) == "\"a\"")
        #expect(error(#"{"jsonrpc":"2.0","id":{},"method":"a"}"#)?.id == nil)
        #expect(error(#"{"method":"ping"}"#)?.id == nil)
    }

    @Test(
        "A key that is in the envelope twice is refused, escaped or not",
        arguments: [
            #"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            #"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{}}"#,
            #"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#, #"{"jsonrpc":"2.0","id":1,"error":{},"error":{}}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#,
            #"{"jsonrpc":"2.0","\u0069\u0064":1,"id":2,"method":"ping"}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"p\u0061rams":{}}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{},"argum\u0065nts":{}}}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":"a","requestState":"b"}}"#,
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"inputResponses":{},"inputResponses":{}}}"#,
        ])
    func duplicates(_ raw: String) {
        guard case .malformed(let scanError) = error(raw) else {
            Issue.record("accepted, or refused for another reason: \(raw)")
            return
        }
        #expect(scanError.reason == .duplicateKey)
    }

    @Test("An escaped envelope key is the same key")
    func escapedKey() throws {
        let message = try parse(#"{"jsonrpc":"2.0","i\u0064":1,"m\u0065thod":"ping"}"#)
        #expect(message.kind == .request)
        #expect(message.methodName == .ping)
        #expect(try parse(#"{"jsonrpc":"2.0","id\u0000":1,"method":"ping"}"#).kind == .notification)
    }

    @Test("Members that the protocol does not know are kept and may repeat")
    func unknownMembers() throws {
        let raw = #"{"x":1,"jsonrpc":"2.0","method":"a","x":{"id":5},"ID":3,"":0}"#
        let message = try parse(raw)
        #expect(message.kind == .notification)
        #expect(String(buffer: message.bytes) == raw)
    }

    @Test(
        "A key that holds a backslash does not end the process, at no level",
        arguments: [#"\\"#, #"a\\"#, #"\\\\"#, #"\\u0069d"#, #"na\\u"#])
    func backslashInKey(_ key: String) throws {
        let members = "\"\(key)\":1"
        let message = try parse(
            "{\"jsonrpc\":\"2.0\",\(members),\"method\":\"ping\",\"params\":{\(members),\"name\":\"n\",\"_meta\":{\(members),\"progressToken\":7}}}"
        )
        #expect(message.kind == .notification)
        #expect(message.json.string(message.routing.name) == "n")
        #expect(message.json.integer(message.routing.progressToken) == 7)
    }

    @Test("An escape of an escape is not the key it would then spell")
    func doublyEscapedKey() throws {
        let message = try parse(#"{"jsonrpc":"2.0","\\u0069d":1,"method":"ping","params":{"\\u006eame":"x","name":"n"}}"#)
        #expect(message.kind == .notification)
        #expect(message.json.string(message.routing.name) == "n")
    }

    @Test("Line breaks between tokens are flagged, escaped ones in strings are not")
    func lineBreaks() throws {
        #expect(try !parse(#"{"jsonrpc":"2.0","method":"a\n"}"#).hasLineBreaks)
        for raw in [
            "\n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\r}}",
            "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n",
        ] {
            #expect(try parse(raw).hasLineBreaks)
        }
    }

    @Test("The depth limit counts the envelope")
    func depth() throws {
        func nested(_ depth: Int) -> ByteBuffer {
            ByteBuffer(
                string:
                    "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"x\":\(String(repeating: "[", count: depth))\(String(repeating: "]", count: depth))}"
            )
        }
        #expect(try Message.parse(nested(3), maxDepth: 4).kind == .notification)
        #expect(throws: MessageError.self) { try Message.parse(nested(4), maxDepth: 4) }
    }

    @Test("A body is one message or a batch")
    func payloads() throws {
        guard case .single(let single) = try Message.parsePayload(ByteBuffer(string: " {\"jsonrpc\":\"2.0\",\"method\":\"a\"}")) else {
            Issue.record("no single message")
            return
        }
        #expect(single.methodName == .other("a"))
        let batch = #" [ {"jsonrpc":"2.0","id":1,"method":"ping"} , 5 , {"jsonrpc":"2.0","id":"x"}, [] ,{"jsonrpc":"2.0","method":"b"} ] "#
        guard case .batch(let elements) = try Message.parsePayload(ByteBuffer(string: batch)) else {
            Issue.record("no batch")
            return
        }
        #expect(elements.map { (try? $0.get())?.methodName } == [.ping, nil, nil, nil, .other("b")])
        if case .failure(let error) = elements[2] { #expect(text(error.id) == "\"x\"") }
        guard case .batch(let none) = try Message.parsePayload(ByteBuffer(string: "[]")) else {
            Issue.record("no batch")
            return
        }
        #expect(none.isEmpty)
        #expect(throws: MessageError.self) { try Message.parsePayload(ByteBuffer(string: "[{]")) }
        #expect(throws: MessageError.self) { try Message.parsePayload(ByteBuffer(string: "")) }
    }
}
