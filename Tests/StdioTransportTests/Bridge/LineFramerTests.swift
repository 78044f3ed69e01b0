import NIOCore
import Testing

@testable import StdioTransport

@Suite("Line framer")
struct LineFramerTests {
    private func frame(_ chunks: [String], max: Int = 20) -> [LineFramer.Line] {
        var framer = LineFramer(maxBytes: max)
        var lines: [LineFramer.Line] = []
        for chunk in chunks {
            framer.append(ByteBuffer(string: chunk))
            while let line = framer.next() { lines.append(line) }
        }
        if let line = framer.rest() { lines.append(line) }
        return lines
    }

    private func line(_ text: String) -> LineFramer.Line { .line(ByteBuffer(string: text)) }

    @Test("lines are found wherever the bytes are split")
    func splits() {
        let text = "{\"a\":1}\n\n  \n{}\r\n\u{2028}x\nend"
        let whole = [line("{\"a\":1}"), line("{}\r"), line("\u{2028}x"), line("end")]
        #expect(frame([text]) == whole)
        #expect(frame(text.unicodeScalars.map { String($0) }) == whole)
    }

    @Test("a line that is too long is reported once and skipped to its end")
    func tooLong() {
        let long = String(repeating: "x", count: 21)
        #expect(frame([long + "\na\n"]) == [.tooLong, line("a")])
        #expect(frame([long, long, long, "\na\n"]) == [.tooLong, line("a")])
        #expect(frame([long, long]) == [.tooLong])
        #expect(frame([String(repeating: "x", count: 20) + "\n"]) == [line(String(repeating: "x", count: 20))])
    }
}
