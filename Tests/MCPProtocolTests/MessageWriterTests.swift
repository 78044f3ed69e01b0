import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct MessageWriterTests {
    @Test("Requests, notifications and responses of the gateway's are valid messages")
    func writer() throws {
        let awkward = "a\"b\\c\n\u{1}é"
        let request = try Message.parse(MessageWriter.request(id: .max, method: awkward, params: ByteBuffer(string: "{\"x\":1}")))
        #expect(request.kind == .request)
        #expect(request.methodName == .other(awkward))
        #expect(request.idBytes.map { String(buffer: $0) } == "18446744073709551615")
        #expect(request.json.integer(request.param("x")) == 1)
        let plain = try Message.parse(MessageWriter.request(id: 0, method: "ping"))
        #expect(!plain.params.isPresent)
        let notification = try Message.parse(MessageWriter.notification(method: "n", params: ByteBuffer(string: "{}")))
        #expect(notification.kind == .notification)
        let response = try Message.parse(
            MessageWriter.response(id: ByteBuffer(string: "\"i\""), result: ByteBuffer(string: "{\"r\":1e400}")))
        #expect(response.kind == .response)
        #expect(response.json.slice(response.result).map { String(buffer: $0) } == "{\"r\":1e400}")
    }

    @Test("Error responses are valid messages whatever the text")
    func errors() throws {
        let error = RPCError(code: .internalError, message: "\"\\\u{0}\u{1F}\n😀", data: ByteBuffer(string: "[1]"))
        for id in [ByteBuffer(string: "1"), ByteBuffer(string: "\"x\""), nil] {
            let message = try Message.parse(error.response(id: id))
            #expect(message.kind == .errorResponse)
            #expect(message.idBytes == id ?? ByteBuffer(string: "null"))
            #expect(message.json.integer(message.json.member("code", of: message.error)) == -32603)
            #expect(message.json.string(message.json.member("message", of: message.error)) == error.message)
            #expect(message.json.elements(of: message.json.member("data", of: message.error)).count == 1)
        }
        let bare = try Message.parse(RPCError(code: .parseError, message: "").response(id: nil))
        #expect(bare.json.member("data", of: bare.error) == .absent)
    }

    @Test("The codes are those of JSON-RPC and MCP")
    func codes() {
        let codes: [RPCError.Code] = [
            .parseError, .invalidRequest, .methodNotFound, .invalidParams, .internalError, .connectionClosed, .requestTimeout,
            .resourceNotFound,
            .requestCancelled,
        ]
        #expect(codes.map(\.rawValue) == [-32700, -32600, -32601, -32602, -32603, -32000, -32001, -32002, -32800])
    }
}
