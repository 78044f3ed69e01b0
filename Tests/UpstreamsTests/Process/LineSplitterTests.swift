import NIOCore
import Testing

@testable import Upstreams

@Suite struct LineSplitterTests {
    private func split(_ pieces: [String], max: Int = 100) -> (lines: [String], outcome: LineSplitter.Outcome) {
        var splitter = LineSplitter(maxLineBytes: max)
        var lines: [String] = []
        for piece in pieces {
            let outcome = splitter.feed(ByteBuffer(string: piece)) { lines.append(String(buffer: $0)) }
            if outcome != .ok { return (lines, outcome) }
        }
        splitter.finish { lines.append(String(buffer: $0)) }
        return (lines, .ok)
    }

    @Test("Any division of the input into reads gives the same lines")
    func anyDivision() {
        let text = "{\"a\":1}\r\n\n\r\nb\u{2028}c\u{85}d\ne\rf\nlast"
        let expected = ["{\"a\":1}", "b\u{2028}c\u{85}d", "e\rf", "last"]
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var splitter = LineSplitter(maxLineBytes: 20)
                var lines: [String] = []
                for part in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    #expect(splitter.feed(ByteBuffer(bytes: part)) { lines.append(String(buffer: $0)) } == .ok)
                }
                splitter.finish { lines.append(String(buffer: $0)) }
                #expect(lines == expected)
            }
        }
    }

    @Test("A line of exactly the limit passes, with and without carriage return, one byte more does not")
    func limit() {
        #expect(split(["12345\n"], max: 5).lines == ["12345"])
        #expect(split(["12345\r\n"], max: 5).lines == ["12345"])
        #expect(split(["123", "45", "\r", "\n"], max: 5).lines == ["12345"])
        #expect(split(["a\n123456\nb\n"], max: 5) == (["a"], .lineTooLong))
        #expect(split(["123", "456", "\n"], max: 5) == ([], .lineTooLong))
        #expect(split(["1234567"], max: 5) == ([], .lineTooLong))
    }

    @Test("Lines within one read share its storage")
    func slices() {
        let read = ByteBuffer(string: "one\ntwo\n")
        var splitter = LineSplitter(maxLineBytes: 10)
        var lines: [ByteBuffer] = []
        _ = splitter.feed(read) { lines.append($0) }
        let base = read.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        #expect(lines.map { $0.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } } == [base, base + 4])
    }
}
