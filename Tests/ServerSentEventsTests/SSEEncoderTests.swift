import NIOCore
import ServerSentEvents
import Testing

@Suite("SSE encoder")
struct SSEEncoderTests {
    private let id = SSEEventID(stream: "labc", sequence: 7)

    private func encode(_ message: String, id: SSEEventID? = nil, event: StaticString = "message", after: String = "") -> String {
        var buffer = ByteBuffer(string: after)
        SSEEncoder.write(ByteBuffer(string: message), id: id, event: event, to: &buffer)
        return String(buffer: buffer)
    }

    @Test("an event has its id, its type and its message on one line")
    func event() {
        #expect(encode(#"{"a":1}"#, id: id) == "id: labc.7\nevent: message\ndata: {\"a\":1}\n\n")
    }

    @Test("without an id there is no id field")
    func withoutID() {
        #expect(encode("{}") == "event: message\ndata: {}\n\n")
    }

    @Test("an event may have another type than message")
    func otherType() {
        #expect(encode("{}", event: "progress") == "event: progress\ndata: {}\n\n")
    }

    @Test("the sequence is decimal up to the largest", arguments: [0, 9, 10, 1_234_567_890, UInt64.max])
    func sequences(sequence: UInt64) {
        #expect(encode("{}", id: SSEEventID(stream: "l", sequence: sequence)).hasPrefix("id: l.\(sequence)\n"))
    }

    @Test("line breaks of the message become spaces, those before it stay", arguments: ["\n", "\r", "\r\n"])
    func lineBreaks(text: String) {
        let spaces = String(repeating: " ", count: text.utf8.count)
        #expect(
            encode("{\(text)\"a\":\(text)1}\(text)", after: ": before\n\n")
                == ": before\n\nevent: message\ndata: {\(spaces)\"a\":\(spaces)1}\(spaces)\n\n")
    }

    @Test("other separators of Unicode are no line breaks of an event and stay", arguments: ["\u{2028}", "\u{2029}", "\u{85}", "\u{0B}"])
    func unicodeSeparators(text: String) {
        #expect(encode("\"\(text)\"") == "event: message\ndata: \"\(text)\"\n\n")
    }

    @Test("a priming event has an id, the time to reconnect and empty data")
    func priming() {
        var buffer = ByteBuffer()
        SSEEncoder.writePriming(id: id, retry: .milliseconds(1500), to: &buffer)
        #expect(String(buffer: buffer) == "id: labc.7\nretry: 1500\ndata: \n\n")
    }

    @Test("retry is in milliseconds")
    func retry() {
        var buffer = ByteBuffer()
        SSEEncoder.writeRetry(.seconds(2), to: &buffer)
        #expect(String(buffer: buffer) == "retry: 2000\n\n")
        buffer.clear()
        SSEEncoder.writeRetry(.seconds(-2), to: &buffer)
        #expect(String(buffer: buffer) == "retry: 0\n\n", "digits only")
    }

    @Test("keep-alive is a comment, which no client takes for an event")
    func keepAlive() {
        let text = String(buffer: SSEEncoder.keepAlive)
        #expect(text.hasPrefix(":"))
        #expect(text.hasSuffix("\n\n"))
    }
}
