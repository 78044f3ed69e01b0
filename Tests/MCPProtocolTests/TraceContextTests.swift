import NIOCore
import Testing

@testable import MCPProtocol

@Suite("W3C trace context")
struct TraceContextTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test(
        "only a valid traceparent is taken (section 3.2.2)",
        arguments: [
            (parent, true), (parent + "-more", false), ("01" + parent.dropFirst(2) + "-more", true),
            ("01" + parent.dropFirst(2) + "more", false), ("01" + parent.dropFirst(2), true),
            ("ff" + parent.dropFirst(2), false), (parent.uppercased(), false), ("", false), (String(parent.dropLast()), false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false), (parent + "\r\nx: y", false),
            ("cc" + parent.dropFirst(2) + "-\r\nx: y", false),
        ] as [(String, Bool)])
    func validity(text: String, isValid: Bool) {
        #expect((TraceContext(traceparent: text, tracestate: nil) != nil) == isValid)
    }

    @Test("a tracestate that could break a header is left out")
    func state() {
        #expect(TraceContext(traceparent: Self.parent, tracestate: "a=1,b=2")?.tracestate == "a=1,b=2")
        #expect(TraceContext(traceparent: Self.parent, tracestate: "a=1\r\nx: y")?.tracestate == nil)
        #expect(TraceContext(traceparent: Self.parent, tracestate: "")?.tracestate == nil)
    }

    @Test("the trace id is the second part")
    func traceID() {
        #expect(TraceContext(traceparent: Self.parent, tracestate: nil)?.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    }

    @Test(
        "it is put into _meta wherever that is, and nothing else changes",
        arguments: [
            (
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{§}}}"#
            ),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{ }}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{§} }}"#
            ),
            (
                #"{"params":{"name":"a"},"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
                #"{"params":{"_meta":{§},"name":"a"},"jsonrpc":"2.0","id":1,"method":"tools/call"}"#
            ),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":7}}}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{§,"progressToken":7}}}"#
            ),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{}}}"#,
                #"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{§}}}"#
            ),
        ])
    func splicing(message: String, expected: String) throws {
        let trace = try #require(TraceContext(traceparent: Self.parent, tracestate: nil))
        let parsed = try Message.parse(ByteBuffer(string: message))
        let splice = try #require(trace.members(for: parsed).flatMap { parsed.metaInsertion(of: $0) })
        var bytes = ByteBuffer()
        bytes.write(parsed.bytes, splicing: [splice])
        #expect(String(buffer: bytes) == expected.replacing("§", with: "\"traceparent\":\"\(Self.parent)\""))
        #expect(TraceContext(meta: try Message.parse(bytes)) == trace)
    }

    @Test("the message's own context stays, valid or not")
    func own() throws {
        let trace = try #require(TraceContext(traceparent: Self.parent, tracestate: nil))
        for meta in [#"{"traceparent":"x"}"#, "null", "[]"] {
            let text = #"{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":\#(meta)}}"#
            let parsed = try Message.parse(ByteBuffer(string: text))
            #expect(trace.members(for: parsed).flatMap { parsed.metaInsertion(of: $0) } == nil)
        }
    }
}
