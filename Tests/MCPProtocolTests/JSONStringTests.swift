import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct JSONStringTests {
    private func decode(_ raw: String) -> String? {
        ByteBuffer(string: raw).withUnsafeReadableBytes { decodeJSONString($0) }
    }

    @Test("What is written as a JSON string is valid and reads back the same")
    func roundTrip() throws {
        let controls = String(String.UnicodeScalarView((0..<0x80).compactMap { Unicode.Scalar($0) }))
        for text in [
            "", "plain", "\"\\/", controls, "é", "日本語", "😀👩‍👩‍👧‍👦", "\u{2028}\u{2029}", "\u{FEFF}", "\u{10FFFF}", "e\u{301}", "\\u0041", "\r\n",
        ] {
            let buffer = ByteBuffer.jsonString(text)
            let json = try JSONText(validating: buffer)
            let decoded = try #require(json.string(json.root))
            #expect(Array(decoded.unicodeScalars) == Array(text.unicodeScalars))
        }
    }

    @Test("Random strings read back the same")
    func randomRoundTrip() throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0..<12, using: &generator) {
                let bound: UInt32 = [0x20, 0x80, 0x800, 0x10000, 0x110000].randomElement(using: &generator) ?? 0x80
                if let scalar = Unicode.Scalar(UInt32.random(in: 0..<bound, using: &generator)) { scalars.append(scalar) }
            }
            let text = String(scalars)
            let json = try JSONText(validating: ByteBuffer.jsonString(text))
            #expect(json.string(json.root).map { Array($0.unicodeScalars) } == Array(scalars), "seed \(seed)")
        }
    }

    @Test("Escapes are decoded")
    func escapes() {
        #expect(decode(#""\"\\\/\b\f\n\r\t""#) == "\"\\/\u{8}\u{c}\n\r\t")
        #expect(decode(#""a\u0041b\u00e9c\u20ACd""#) == "aAbéc€d")
        #expect(decode(#""\u0000""#) == "\0")
        #expect(decode(#""x\ud83d\ude00y\uD83D\uDE01""#) == "x😀y😁")
    }

    @Test("Lone surrogates become the replacement character and do not swallow what follows")
    func loneSurrogates() {
        #expect(decode(#""\ud83d""#) == "\u{FFFD}")
        #expect(decode(#""\ude00x""#) == "\u{FFFD}x")
        #expect(decode(#""\ud83dx\ude00""#) == "\u{FFFD}x\u{FFFD}")
        #expect(decode(#""\ud83d\n\ude00""#) == "\u{FFFD}\n\u{FFFD}")
        #expect(decode(#""\ud83d\ud83d\ude00""#) == "\u{FFFD}😀")
    }

    @Test("What is no string decodes to nothing", arguments: ["", "\"", "1", "null", "{}", "\"a", "a\""])
    func noStrings(_ raw: String) { #expect(decode(raw) == nil) }

    @Test("Numbers are written in decimal", arguments: [0, 1, 9, 10, 99, 100, 12_345, UInt64.max])
    func decimals(_ number: UInt64) {
        var buffer = ByteBuffer()
        buffer.writeDecimal(number)
        #expect(String(buffer: buffer) == "\(number)")
    }
}
