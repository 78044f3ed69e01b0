import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct JSONTextTests {
    private func json(_ text: String) throws -> JSONText { try JSONText(validating: ByteBuffer(string: text)) }

    private func text(_ json: JSONText, _ span: JSONSpan) -> String? { json.slice(span).map { String(buffer: $0) } }

    @Test("Members are found wherever they stand")
    func members() throws {
        let json = try json(#"{"a":1,"bb":"two","ccc":[3],"d":{"a":4},"e":null,"f":true,"g":-5.5e1}"#)
        let raw = ["1", #""two""#, "[3]", #"{"a":4}"#, "null", "true", "-5.5e1"]
        let spans = [
            json.member("a", of: json.root), json.member("bb", of: json.root), json.member("ccc", of: json.root),
            json.member("d", of: json.root),
            json.member("e", of: json.root), json.member("f", of: json.root), json.member("g", of: json.root),
        ]
        #expect(spans.map { text(json, $0) } == raw)
        #expect(json.member("b", of: json.root) == .absent)
        #expect(json.member("", of: json.root) == .absent)
    }

    @Test("Nested members are not mistaken for the object's own")
    func nested() throws {
        let json = try json(#"{"x":{"id":1},"y":["id",{"id":2}],"z":"\"id\":3,","id":4}"#)
        #expect(json.integer(json.member("id", of: json.root)) == 4)
        #expect(json.integer(json.member("id", of: json.member("x", of: json.root))) == 1)
        let elements = json.elements(of: json.member("y", of: json.root))
        #expect(elements.count == 2)
        #expect(json.integer(json.member("id", of: elements[1])) == 2)
    }

    @Test("White space may stand between all tokens")
    func whitespace() throws {
        let json = try json(" \n{ \t\"a\" \r:\n [ 1 ,\t{ } , \"x\" , [ ] ] , \"b\"\n:\n2\t}\r\n")
        let elements = json.elements(of: json.member("a", of: json.root))
        #expect(elements.map { text(json, $0) } == ["1", "{ }", "\"x\"", "[ ]"])
        #expect(json.integer(json.member("b", of: json.root)) == 2)
        #expect(text(json, json.root)?.first == "{")
        #expect(text(json, json.root)?.last == "}")
    }

    @Test("Strings that hold quotes, brackets and backslashes do not confuse the walk")
    func trickyStrings() throws {
        let json = try json(#"{"a\"b":"}],{","c\\":"\\\"","d":["]","}","\\"],"e":1}"#)
        #expect(json.integer(json.member("e", of: json.root)) == 1)
        #expect(json.elements(of: json.member("d", of: json.root)).compactMap { json.string($0) } == ["]", "}", "\\"])
        var keys: [String] = []
        json.forEachMember(of: json.root) { key, _ in
            keys.append(String(decoding: key, as: UTF8.self))
            return true
        }
        #expect(keys == [#"a\"b"#, #"c\\"#, "d", "e"])
    }

    @Test("A member is found however its key is written")
    func escapedKeys() throws {
        let json = try json(#"{"n\u0061m":0,"n\u0061me":1,"name":2}"#)
        #expect(json.integer(json.member("name", of: json.root)) == 1)
    }

    @Test("The first of two equal keys is found")
    func duplicates() throws {
        let json = try json(#"{"a":1,"a":2}"#)
        #expect(json.integer(json.member("a", of: json.root)) == 1)
    }

    @Test("Empty objects and arrays, and values that are neither, have no members")
    func empty() throws {
        for text in ["{}", "[]", "{ }", "[ ]", "1", "\"{\"", "null"] {
            let json = try json(text)
            #expect(json.member("a", of: json.root) == .absent)
            #expect(json.elements(of: json.root).isEmpty)
        }
        let json = try json("{}")
        #expect(json.member("a", of: .absent) == .absent)
        #expect(json.elements(of: .absent).isEmpty)
        #expect(json.slice(.absent) == nil)
        #expect(json.string(.absent) == nil)
        #expect(json.integer(.absent) == nil)
        #expect(json.unsigned(.absent) == nil)
        #expect(json.firstByte(.absent) == nil)
        #expect(!json.isTrue(.absent))
        #expect(!json.isObject(.absent))
    }

    @Test("A walk stops when it is told to")
    func stops() throws {
        let json = try json(#"{"a":[1,2,3],"b":2}"#)
        var seen = 0
        json.forEachMember(of: json.root) { _, _ in
            seen += 1
            return false
        }
        json.forEachElement(of: json.member("a", of: json.root)) { _ in
            seen += 1
            return seen < 3
        }
        #expect(seen == 3)
    }

    @Test("A buffer that was read from before is looked up from its reader index")
    func readerIndex() throws {
        var buffer = ByteBuffer(string: "xxxx{\"a\":\"b\"}")
        buffer.moveReaderIndex(forwardBy: 4)
        let json = try JSONText(validating: buffer)
        #expect(json.string(json.member("a", of: json.root)) == "b")
        #expect(json.firstByte(json.root) == UInt8(ascii: "{"))
        #expect(text(json, json.member("a", of: json.root)) == "\"b\"")
    }

    @Test("Integers are read where they fit")
    func integers() throws {
        let json = try json("[0,-1,9223372036854775807,-9223372036854775808,9223372036854775808,1.0,1e2,\"1\",true,-0]")
        let values = json.elements(of: json.root).map { json.integer($0) }
        #expect(values == [0, -1, .max, .min, nil, nil, nil, nil, nil, 0])
    }

    @Test("Unsigned integers are read without sign, fraction and exponent")
    func unsigned() throws {
        let json = try json("[0,7,9999999999999999999,999999999999999999999,-1,1.0,1e2,\"1\",null]")
        let values = json.elements(of: json.root).map { json.unsigned($0) }
        #expect(values == [0, 7, 9_999_999_999_999_999_999, nil, nil, nil, nil, nil, nil])
    }

    @Test("Only the literal true is true")
    func truth() throws {
        let json = try json(#"[true,false,"true",1,null]"#)
        #expect(json.elements(of: json.root).map { json.isTrue($0) } == [true, false, false, false, false])
    }
}
