import MCPProtocol
import NIOCore
import Testing

@Suite("Metadata of a modern request")
struct RequestMetadataTests {
    private func message(_ text: String) throws -> Message { try Message.parse(ByteBuffer(string: text)) }

    private func request(meta: String) throws -> Message {
        try message(#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":\#(meta)}}"#)
    }

    private static let complete = #"""
        {"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}},
        "io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/logLevel":"debug"}
        """#

    @Test("the fields are read")
    func fields() throws {
        let message = try request(meta: Self.complete)
        #expect(RequestMetadata.isPresent(in: message))
        let metadata = try RequestMetadata(message)
        #expect(metadata.revision == .v2026_07_28)
        #expect(String(buffer: metadata.clientCapabilities) == #"{"roots":{}}"#)
        #expect(metadata.clientInfo.map { String(buffer: $0) } == #"{"name":"c","version":"1"}"#)
        #expect(metadata.logLevel == "debug")
    }

    @Test("keys may be written with escapes, as some writers do with every slash")
    func escapes() throws {
        let message = try request(meta: Self.complete.replacing("/", with: #"\/"#))
        #expect(RequestMetadata.isPresent(in: message))
        #expect(try RequestMetadata(message).logLevel == "debug")
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: RequestMetadata.removal(from: message))
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{}}}"#)
    }

    @Test("a key that stands twice is refused however it is written")
    func escapedTwice() throws {
        let key = "io.modelcontextprotocol/protocolVersion"
        let message = try request(
            meta:
                #"{"\#(key)":"2026-07-28","\#(key.replacing("/", with: #"\u002f"#))":"2025-11-25","io.modelcontextprotocol/clientCapabilities":{}}"#
        )
        #expect(throws: RPCError.self) { _ = try RequestMetadata(message) }
    }

    @Test(
        "a missing or wrong field is −32602",
        arguments: [
            "{}",
            #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
            #"{"io.modelcontextprotocol/protocolVersion":7,"io.modelcontextprotocol/clientCapabilities":{}}"#,
            #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]}"#,
            #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":"x"}"#,
            #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientCapabilities":{}}"#,
            #"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":1}"#,
        ])
    func incomplete(meta: String) throws {
        let message = try request(meta: meta)
        let error = try #require(throws: RPCError.self) { _ = try RequestMetadata(message) }
        #expect(error.code == .invalidParams)
    }

    @Test("what a retry brings is taken out with the fields")
    func retry() throws {
        let message = try message(
            #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":"s","name":"t","inputResponses":{},"_meta":{"io.modelcontextprotocol/logLevel":"x"}}}"#
        )
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: RequestMetadata.removal(from: message))
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{}}}"#)
    }

    @Test("a version that is no modern one is −32022 with the versions that are", arguments: ["1900-01-01", "2025-11-25"])
    func unsupported(version: String) throws {
        let meta = #"{"io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":{}}"#
        let message = try request(meta: meta)
        let error = try #require(throws: RPCError.self) { _ = try RequestMetadata(message) }
        #expect(error.code == .unsupportedProtocolVersion)
        let data = try #require(error.data)
        #expect(
            String(buffer: data)
                == #"{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"\#(version)"}"#)
    }

    @Test(
        "the fields are taken out of _meta, what else is there stays",
        arguments: [
            (#"{"io.modelcontextprotocol/protocolVersion":"x"}"#, "{}"),
            (#"{ "progressToken" : 1 , "io.modelcontextprotocol/protocolVersion":"x"}"#, #"{"progressToken" : 1}"#),
            (#"{"io.modelcontextprotocol/logLevel":"x","a":1,"io.modelcontextprotocol/clientInfo":{"n":[1,2]},"b":2}"#, #"{"a":1,"b":2}"#),
            (#"{"a":1,"b":2,"io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol/clientCapabilities":{}}"#, #"{"a":1,"b":2}"#),
            (#"{"a":1}"#, #"{"a":1}"#),
        ])
    func removal(meta: String, expected: String) throws {
        let message = try request(meta: meta)
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: RequestMetadata.removal(from: message))
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":\#(expected)}}"#)
    }

    @Test(
        "other members take the place of the fields",
        arguments: [
            (#"{"io.modelcontextprotocol/protocolVersion":"x"}"#, #"{"k":1}"#),
            (#"{"a":1,"io.modelcontextprotocol/protocolVersion":"x"}"#, #"{"k":1,"a":1}"#), (#"{"a":1}"#, #"{"k":1,"a":1}"#),
        ])
    func replacement(meta: String, expected: String) throws {
        let message = try request(meta: meta)
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: RequestMetadata.removal(from: message, inserting: ByteBuffer(string: #""k":1"#)))
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":\#(expected)}}"#)
    }

    @Test(
        "members are put into _meta, which is made where there is none",
        arguments: [
            (#","params":{"_meta":{}}"#, #","params":{"_meta":{"k":1}}"#),
            (#","params":{"_meta":{"a":2}}"#, #","params":{"_meta":{"k":1,"a":2}}"#),
            (#","params":{"name":"x"}"#, #","params":{"_meta":{"k":1},"name":"x"}"#),
            ("", #","params":{"_meta":{"k":1}}"#),
        ])
    func insertion(params: String, expected: String) throws {
        let message = try message(#"{"jsonrpc":"2.0","id":1,"method":"ping"\#(params)}"#)
        let splice = try #require(message.metaInsertion(of: ByteBuffer(string: #""k":1"#)))
        var bytes = ByteBuffer()
        bytes.write(message.bytes, splicing: [splice])
        #expect(String(buffer: bytes) == #"{"jsonrpc":"2.0","id":1,"method":"ping"\#(expected)}"#)
    }

    @Test("what makes a request modern is read again as what it was")
    func roundTrip() throws {
        let members = RequestMetadata.members(
            clientCapabilities: ByteBuffer(string: "{}"), clientInfo: ByteBuffer(string: #"{"name":"c","version":"1"}"#), logLevel: "error")
        let metadata = try RequestMetadata(request(meta: "{\(String(buffer: members))}"))
        #expect(metadata.logLevel == "error")
        #expect(metadata.clientInfo.map { String(buffer: $0) } == #"{"name":"c","version":"1"}"#)
    }
}

@Suite("From one era to the other")
struct EraBridgeTests {
    private func bridged(_ result: String, isCacheable: Bool = false, serverInfo: String? = nil) throws -> String {
        let json = try JSONText(validating: ByteBuffer(string: result))
        var bytes = ByteBuffer()
        let splices = EraBridge.modernResult(
            json.root, in: json, isCacheable: isCacheable, serverInfo: serverInfo.map { ByteBuffer(string: $0) })
        bytes.write(json.bytes, splicing: splices)
        return String(buffer: bytes)
    }

    @Test("a result gets its type, and keeps the one it has")
    func type() throws {
        #expect(try bridged(#"{"content":[]}"#) == #"{"resultType":"complete","content":[]}"#)
        #expect(try bridged("{}") == #"{"resultType":"complete"}"#)
        #expect(try bridged(#"{"resultType":"task","a":1}"#) == #"{"resultType":"task","a":1}"#)
    }

    @Test("a result that can be cached gets hints that promise nothing, unless it has some")
    func caching() throws {
        #expect(
            try bridged(#"{"contents":[]}"#, isCacheable: true)
                == #"{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[]}"#)
        #expect(
            try bridged(#"{"resultType":"complete","ttlMs":5,"cacheScope":"public"}"#, isCacheable: true)
                == #"{"resultType":"complete","ttlMs":5,"cacheScope":"public"}"#)
    }

    @Test("a result names its server once")
    func serverInfo() throws {
        let info = #"{"name":"s"}"#
        #expect(
            try bridged(#"{"a":1}"#, serverInfo: info)
                == #"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}},"a":1}"#)
        #expect(
            try bridged(#"{"_meta":{"x":1}}"#, serverInfo: info)
                == #"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"x":1}}"#)
        let named = #"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#
        #expect(try bridged(named, serverInfo: info) == named)
    }

    @Test("pages that the user must visit become input that is required")
    func elicitationRequired() throws {
        let text = """
            {"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","elicitationId":"e1","url":"https://x","message":"go"}]}}
            """
        let json = try JSONText(validating: ByteBuffer(string: text))
        #expect(
            EraBridge.inputRequired(byError: json.root, in: json).map { String(buffer: $0) }
                == #"{"resultType":"input_required","inputRequests":{"e1":{"method":"elicitation/create","params":{"mode":"url","elicitationId":"e1","url":"https://x","message":"go"}}}}"#
        )
        let other = try JSONText(validating: ByteBuffer(string: #"{"code":-32602,"message":"m"}"#))
        #expect(EraBridge.inputRequired(byError: other.root, in: other) == nil)
    }

    @Test("the kind of a result is known")
    func kind() throws {
        func kind(_ text: String) throws -> EraBridge.ResultType {
            let json = try JSONText(validating: ByteBuffer(string: text))
            return EraBridge.resultType(of: json.root, in: json)
        }
        #expect(try kind("{}") == .complete)
        #expect(try kind(#"{"resultType":"complete"}"#) == .complete)
        #expect(try kind(#"{"resultType":"input_required"}"#) == .inputRequired)
        #expect(try kind(#"{"resultType":"task"}"#) == .other("task"))
    }

    @Test("a missing resource has the code of the client's era")
    func codes() {
        #expect(EraBridge.errorCode(-32002, of: .resourcesRead, for: .modern) == -32602)
        #expect(EraBridge.errorCode(-32602, of: .resourcesRead, for: .legacy) == -32002)
        #expect(EraBridge.errorCode(-32602, of: .toolsCall, for: .legacy) == nil)
        #expect(EraBridge.errorCode(-32603, of: .resourcesRead, for: .modern) == nil)
    }
}
