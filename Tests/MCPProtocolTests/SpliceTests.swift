import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct SpliceTests {
    private func spliced(_ json: JSONText, _ splices: [Splice]) -> String {
        var buffer = ByteBuffer()
        buffer.write(json.bytes, splicing: splices)
        return String(buffer: buffer)
    }

    @Test("Several splices are applied whatever their order")
    func unsorted() throws {
        let json = try JSONText(validating: ByteBuffer(string: #"{"a":1,"b":"two","c":[3]}"#))
        let splices = [
            Splice(json.member("c", of: json.root), .bytes(ByteBuffer(string: "{}"))),
            Splice(json.member("a", of: json.root), .integer(18_446_744_073_709_551_615)),
            Splice(json.member("b", of: json.root), .string("\"quoted\"")),
        ]
        let expected = #"{"a":18446744073709551615,"b":"\"quoted\"","c":{}}"#
        #expect(spliced(json, splices) == expected)
        #expect(spliced(json, splices.reversed()) == expected)
    }

    @Test("Without splices everything goes through")
    func none() throws {
        let text = "  { \"z\" : 1e400 , \"a\" : 12345678901234567890 , \"z\" : -0.0 } \n"
        #expect(spliced(try JSONText(validating: ByteBuffer(string: text)), []) == text)
    }

    @Test("Numbers, key order, escapes and white space outside the span are kept byte for byte")
    func kept() throws {
        let json = try JSONText(
            validating: ByteBuffer(string: #"{ "z":1e400,"y" :12345678901234567890, "id":7,"x":"\u00e9\/", "w":1.50 }"#))
        #expect(
            spliced(json, [Splice(json.member("id", of: json.root), .integer(42))])
                == #"{ "z":1e400,"y" :12345678901234567890, "id":42,"x":"\u00e9\/", "w":1.50 }"#)
    }

    @Test("An empty replacement cuts the span out")
    func cut() throws {
        let json = try JSONText(validating: ByteBuffer(string: #"{"name":"srv__tool"}"#))
        let name = json.member("name", of: json.root)
        let prefix = JSONSpan(start: name.start + 1, end: name.start + 6)
        #expect(spliced(json, [Splice(prefix, .bytes(ByteBuffer()))]) == #"{"name":"tool"}"#)
    }

    @Test("Spans at the very beginning and the very end are replaced")
    func edges() throws {
        let json = try JSONText(validating: ByteBuffer(string: "[1,2]"))
        #expect(spliced(json, [Splice(json.root, .string("all"))]) == "\"all\"")
        #expect(
            spliced(
                json,
                [
                    Splice(JSONSpan(start: 4, end: 5), .bytes(ByteBuffer(string: ",3]"))),
                    Splice(JSONSpan(start: 0, end: 1), .bytes(ByteBuffer(string: "[0,"))),
                ])
                == "[0,1,2,3]")
    }

    @Test("A source that was read from before is copied from its reader index")
    func readerIndex() throws {
        var source = ByteBuffer(string: "junk{\"id\":1}")
        source.moveReaderIndex(forwardBy: 4)
        let message = try JSONText(validating: source)
        var target = ByteBuffer(string: "> ")
        target.write(source, splicing: [Splice(message.member("id", of: message.root), .integer(2))])
        #expect(String(buffer: target) == "> {\"id\":2}")
    }

    @Test("Line breaks become spaces, one for one")
    func lineBreaks() {
        var buffer = ByteBuffer(string: "{\r\n\"a\":\n\"\\n\"}\n")
        buffer.replaceLineBreaks()
        #expect(String(buffer: buffer) == "{  \"a\": \"\\n\"} ")
    }
}
