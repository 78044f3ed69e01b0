import NIOCore
import Testing

@testable import ServerSentEvents

@Suite("SSE parser")
struct SSEParserTests {
    private struct Seen: Equatable {
        var events: [SSEEvent] = []
        var lastEventID: String?
        var retry: Int64?
    }

    private func parse(_ chunks: [[UInt8]], max: Int = 1000) throws -> Seen {
        var parser = SSEParser(maxEventBytes: max)
        var seen = Seen()
        for chunk in chunks {
            parser.append(ByteBuffer(bytes: chunk))
            while let event = try parser.next() { seen.events.append(event) }
        }
        seen.lastEventID = parser.lastEventID
        seen.retry = parser.retryMilliseconds
        return seen
    }

    private func parse(_ text: String, max: Int = 1000) throws -> Seen { try parse([Array(text.utf8)], max: max) }

    private func event(_ data: String, type: String = "message", id: String? = nil) -> SSEEvent {
        SSEEvent(type: type, data: ByteBuffer(string: data), id: id)
    }

    static let sample = """
        : a comment
        retry: 250
        id: s.1
        data:

        event: message\r
        id: s.2\r
        data: {"jsonrpc":"2.0",\r
        data:  "é":"\u{2028}"}\r
        \r
        data:x\rid\rdata: y\r\rdata: z
        unknown: field
        retry: 1x
        event: ping

        : end
        data: unfinished

        """

    @Test("fields, comments, all line ends and several data lines are read")
    func sampleIsRead() throws {
        let seen = try parse(Self.sample)
        #expect(
            seen.events == [
                event("", id: "s.1"), event("{\"jsonrpc\":\"2.0\",\n \"é\":\"\u{2028}\"}", id: "s.2"), event("x\ny"),
                event("z", type: "ping"),
            ])
        #expect(seen.lastEventID == nil)
        #expect(seen.retry == 250)
    }

    @Test("a stream split at any two points gives the same events")
    func everySplit() throws {
        let bytes = [0xEF, 0xBB, 0xBF] + Array(Self.sample.utf8)
        let whole = try parse([bytes])
        #expect(whole.events.count == 4)
        for first in 0...bytes.count {
            #expect(try parse([Array(bytes[..<first]), Array(bytes[first...])]) == whole, "split at \(first)")
            for second in stride(from: first, through: bytes.count, by: 3) {
                #expect(try parse([Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]) == whole)
            }
        }
        #expect(try parse(bytes.map { [$0] }) == whole, "byte by byte")
    }

    @Test("only one byte order mark, and only at the start, is skipped")
    func byteOrderMark() throws {
        #expect(try parse("\u{FEFF}data: a\n\n").events == [event("a")])
        #expect(try parse("\u{FEFF}\u{FEFF}data: a\n\n").events == [])
        #expect(try parse("data: a\n\n\u{FEFF}data: b\n\n").events == [event("a")])
        #expect(try parse([[0xEF], Array("data: a\n\n".utf8)]).events == [])
    }

    @Test("one space after the colon belongs to the syntax, a second to the value")
    func spaces() throws {
        #expect(try parse("data:a\n\ndata: a\n\ndata:  a\n\n").events == [event("a"), event("a"), event(" a")])
        #expect(try parse("data\n\n").events == [event("")])
        #expect(try parse("data\ndata\n\n").events == [event("\n")])
    }

    @Test("an id counts from the blank line on, and stays for the events that follow")
    func ids() throws {
        #expect(try parse("id: 1\ndata: a\n\ndata: b\n\n").events == [event("a", id: "1"), event("b", id: "1")])
        #expect(try parse("id: 1\n\n").lastEventID == "1")
        #expect(try parse("id: 1\n").lastEventID == nil, "a cut block is not acknowledged")
        #expect(try parse("id: 1\n\nid\n\n").lastEventID == nil, "an empty id resets")
        #expect(try parse("id: 1\n\nid: a\0b\n\n").lastEventID == "1", "an id with NUL is ignored")
    }

    @Test("a block without data is no event and forgets its type")
    func noData() throws {
        #expect(try parse("event: x\n\ndata: a\n\n").events == [event("a")])
        #expect(try parse("\n\n\n: c\n\n").events == [])
    }

    @Test("retry takes digits only")
    func retry() throws {
        #expect(try parse("retry: 10\n").retry == 10)
        #expect(try parse("retry: -1\nretry: 1.5\nretry:\nretry: 99999999999999999999\n").retry == nil)
    }

    @Test("keep-alive comments are no progress, fields are")
    func progress() throws {
        var parser = SSEParser(maxEventBytes: 100)
        parser.append(ByteBuffer(string: ": a\n\n: b\n\n"))
        #expect(try parser.next() == nil)
        #expect(parser.completedBlocks == 0)
        parser.append(ByteBuffer(string: "id: 1\n\n"))
        #expect(try parser.next() == nil)
        #expect(parser.completedBlocks == 1)
    }

    @Test("a line and an event beyond the bound are refused, whole or not")
    func bounds() throws {
        let fits = String(repeating: "x", count: 100)
        #expect(try parse("data: \(fits)\n\n", max: 100).events == [event(fits)])
        #expect(throws: SSEError.eventTooLarge(limit: 100)) { try parse("data: \(fits)x\n\n", max: 100) }
        #expect(throws: SSEError.eventTooLarge(limit: 100)) { try parse("data: \(fits)\ndata: x\n\n", max: 100) }
        #expect(throws: SSEError.eventTooLarge(limit: 100)) { try parse(String(repeating: "y", count: 165), max: 100) }
    }

    @Test("the line feeds that join the lines of an event count")
    func joiningLineFeeds() throws {
        #expect(try parse(String(repeating: "data\n", count: 101) + "\n", max: 100).events == [event(String(repeating: "\n", count: 100))])
        #expect(throws: SSEError.eventTooLarge(limit: 100)) { try parse(String(repeating: "data\n", count: 102) + "\n", max: 100) }
    }

    @Test("a stream whose chunks never end with an event does not grow in memory")
    func readBytesAreGivenBack() throws {
        var parser = SSEParser(maxEventBytes: 1000)
        let text = Array("data: \(String(repeating: "x", count: 200))\n\n".utf8)
        parser.append(ByteBuffer(bytes: text.prefix(100)))
        for _ in 0..<1000 {
            parser.append(ByteBuffer(bytes: text[100...] + text[..<100]))
            #expect(try parser.next()?.data.readableBytes == 200)
        }
        #expect(parser.buffer.capacity < 16 * text.count)
    }

    @Test("a resumed stream starts with its last event id")
    func resumed() throws {
        var parser = SSEParser(maxEventBytes: 100, lastEventID: "7")
        parser.append(ByteBuffer(string: "data: a\n\n"))
        #expect(try parser.next() == event("a", id: "7"))
    }
}
