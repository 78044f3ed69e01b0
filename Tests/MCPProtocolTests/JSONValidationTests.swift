import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct JSONValidationTests {
    private func error(_ bytes: ByteBuffer, maxDepth: Int = 512) -> JSONScanError? {
        do throws(JSONScanError) {
            _ = try JSONText(validating: bytes, maxDepth: maxDepth)
            return nil
        } catch {
            return error
        }
    }

    private func error(_ text: String, maxDepth: Int = 512) -> JSONScanError? { error(ByteBuffer(string: text), maxDepth: maxDepth) }

    @Test(
        "Every value of RFC 8259 is accepted",
        arguments: [
            "null", "true", "false", "\"\"", "{}", "[]", " [ ] ", "\t{\r\n}\n", "[1,2]", "[ 1 , 2 ]", "{\"a\":1,\"b\":[{}]}", "{\"\":0}",
            "{\"a\":1,\"a\":2}", "[[],[[]],{}]", "[\"\\\"\"]",
        ])
    func values(_ text: String) { #expect(error(text) == nil) }

    @Test(
        "Numbers of the grammar are accepted, whatever their size",
        arguments: [
            "0", "-0", "1", "-1", "10", "0.0", "-0.0", "1.5", "0e0", "0E+0", "1e-1", "1E400", "-1.25e+007", "12345678901234567890",
            "0.00000000000000000000000000000000001",
        ])
    func numbers(_ text: String) {
        #expect(error(text) == nil)
        #expect(error("[\(text)]") == nil)
        #expect(error("{\"a\":\(text)}") == nil)
    }

    @Test(
        "What only looks like a number is refused",
        arguments: [
            "+1", "01", "-01", "00", "1.", ".5", "-.5", "-", "--1", "1e", "1e+", "1E-", "1.e1", "0x10", "1_000", "NaN", "Infinity",
            "-Infinity",
            "1a", "1 2", "１",
        ])
    func badNumbers(_ text: String) {
        #expect(error(text) != nil)
        #expect(error("[\(text)]") != nil)
    }

    @Test(
        "What is not one complete value is refused",
        arguments: [
            "", " ", "nul", "nulL", "True", "tru", "falsey", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1}",
            "{1:2}",
            "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{\"a\":1]", "{a:1}", "{'a':1}", "'a'", "\"a", "\"", "1,", "{}{}",
            "[]]", "// 1", "1//",
            "\u{FEFF}1", "\u{A0}1", "\u{B}1", "\u{C}[]", "[1]\0",
        ])
    func broken(_ text: String) { #expect(error(text) != nil) }

    @Test("Errors say what is wrong and at which byte")
    func reasons() {
        #expect(error("[1,x]") == JSONScanError(.unexpectedByte, at: 3))
        #expect(error("[1") == JSONScanError(.unexpectedEnd, at: 2))
        #expect(error("[1.]") == JSONScanError(.invalidNumber, at: 1))
        #expect(error("\"\\x\"") == JSONScanError(.invalidEscape, at: 1))
        #expect(error("\"\n\"") == JSONScanError(.controlCharacter, at: 1))
        #expect(error("{} 1") == JSONScanError(.trailingBytes, at: 3))
        #expect(error("[[", maxDepth: 1)?.reason == .tooDeep)
        #expect(error("{} 1")?.description == "bytes after the end of the value at byte 3")
    }

    @Test(
        "Escapes of the grammar are accepted",
        arguments: ["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\uFFFF", "\\uabCD", "\\ud83d\\ude00", "\\ud800"])
    func escapes(_ text: String) { #expect(error("\"\(text)\"") == nil) }

    @Test(
        "Other escapes are refused",
        arguments: [
            "\\", "\\a", "\\'", "\\0", "\\x41", "\\U0041", "\\u", "\\u1", "\\u12", "\\u123", "\\u123g", "\\u 123", "\\u{41}", "\\\n",
        ])
    func badEscapes(_ text: String) { #expect(error("\"\(text)\"") != nil) }

    @Test("Every control character is refused in a string, and DEL is not")
    func controlCharacters() {
        for byte in UInt8(0)..<0x20 {
            #expect(error(ByteBuffer(bytes: [0x22, byte, 0x22]))?.reason == .controlCharacter, "byte \(byte)")
            #expect(
                error(ByteBuffer(bytes: [0x7B, 0x22, byte, 0x22, 0x3A, 0x31, 0x7D]))?.reason == .controlCharacter, "byte \(byte) in a key")
        }
        #expect(error(ByteBuffer(bytes: [0x22, 0x7F, 0x22])) == nil)
    }

    @Test("Exactly the scalars of Unicode are accepted as UTF-8: the standard library agrees on every two- and three-byte sequence")
    func shortSequences() {
        var disagreements = 0
        for first in UInt8(0x80)...0xFF {
            for second in UInt8(0x80)...0xFF {
                let pair = [first, second]
                if (error(ByteBuffer(bytes: [0x22] + pair + [0x22])) == nil) != (String(validating: pair, as: UTF8.self) != nil) {
                    disagreements += 1
                }
            }
        }
        for first in UInt8(0xE0)...0xF0 {
            for second in UInt8(0x7F)...0xC0 {
                for third in [0x22, 0x7F, 0x80, 0xA0, 0xBF, 0xC0, 0xFF] as [UInt8] {
                    let bytes = [0x5B, 0x22, first, second, third, 0x22, 0x5D]
                    let isValid = third != 0x22 && String(validating: [first, second, third], as: UTF8.self) != nil
                    if (error(ByteBuffer(bytes: bytes)) == nil) != isValid { disagreements += 1 }
                }
            }
        }
        #expect(disagreements == 0)
    }

    @Test(
        "Overlong forms, surrogates, values over U+10FFFF and truncated sequences are refused",
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
            [0x80], [0xBF],
            [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xE2, 0x28, 0xA1], [0xF0, 0x9F, 0x28, 0x80],
        ] as [[UInt8]])
    func badUTF8(_ bytes: [UInt8]) {
        #expect(error(ByteBuffer(bytes: [0x22] + bytes + [0x22])) != nil)
        #expect(error(ByteBuffer(bytes: [0x22] + bytes)) != nil)
    }

    @Test("The first and last scalars of each length are accepted")
    func goodUTF8() {
        for value in [0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF] as [UInt32] {
            let scalar = Unicode.Scalar(value).map(String.init) ?? ""
            #expect(error("\"\(scalar)\"") == nil, "U+\(String(value, radix: 16))")
        }
    }

    @Test("Nesting is accepted up to the limit and refused beyond it", arguments: [1, 2, 63, 64, 65, 66, 128, 512])
    func depth(_ limit: Int) {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = open == "[" ? "" : "0"
            func nested(_ depth: Int) -> String { String(repeating: open, count: depth) + inner + String(repeating: close, count: depth) }
            #expect(error(nested(limit), maxDepth: limit) == nil)
            #expect(error(nested(limit + 1), maxDepth: limit)?.reason == .tooDeep)
        }
    }

    @Test("Arrays and objects nested in turn are told apart below the sixty-fourth level")
    func mixedDepth() {
        let open = String(repeating: "[{\"a\":", count: 50)
        let close = String(repeating: "}]", count: 50)
        #expect(error(open + "1" + close) == nil)
        #expect(error(open + "1" + String(repeating: "]}", count: 50)) != nil)
        #expect(error(open + "[1,{\"b\":2},3],\"c\":[4]" + close) == nil)
        #expect(error(open + "1,2" + close) != nil)
    }

    @Test("A million open brackets cost no stack")
    func deepBomb() {
        #expect(error(String(repeating: "[", count: 1_000_000))?.reason == .tooDeep)
        #expect(error(String(repeating: "[", count: 100_000), maxDepth: 1_000_000)?.reason == .unexpectedEnd)
        let balanced = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(error(balanced, maxDepth: 100_000) == nil)
    }
}
