import NIOCore
import Testing

@testable import MCPProtocol

@Suite struct MutationTests {
    private let sample = #"""
        {"jsonrpc":"2.0","id":"a\u00e9😀","method":"tools/call","params":{"name":"s__t","arguments":{"x":[1,-2.5e3,true,false,null,{"y":"\n"}]},"_meta":{"progressToken":1}}}
        """#

    private func parses(_ bytes: some Sequence<UInt8>) -> Bool { (try? Message.parse(ByteBuffer(bytes: bytes))) != nil }

    @Test("Every truncation of a message is refused")
    func truncations() {
        let bytes = Array(sample.utf8)
        #expect(parses(bytes))
        for length in 0..<bytes.count {
            #expect(!parses(bytes.prefix(length)), "the first \(length) bytes")
            #expect((try? JSONText(validating: ByteBuffer(bytes: bytes.prefix(length)))) == nil, "the first \(length) bytes")
        }
    }

    @Test("Bytes after a message are refused, white space is not")
    func trailing() {
        for suffix in ["}", "{}", ",", "x", "\0", "null"] { #expect(!parses((sample + suffix).utf8)) }
        for suffix in [" ", "\n", "\r\n\t "] { #expect(parses((sample + suffix).utf8)) }
    }

    @Test("Random mutations never crash, and what still parses can be walked")
    func mutations() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("MutationTests seed: \(seed)")
        var generator = SeededGenerator(seed: seed)
        let original = Array(sample.utf8)
        let interesting = Array("{}[]\",:\\u019-+.eE \n\0tfn".utf8) + [0x80, 0xC0, 0xED, 0xF4, 0xFF]
        for round in 0..<20_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[index] = interesting[Int.random(in: 0..<interesting.count, using: &generator)]
                case 2: bytes.remove(at: index)
                default: bytes.insert(interesting[Int.random(in: 0..<interesting.count, using: &generator)], at: index)
                }
            }
            let buffer = ByteBuffer(bytes: bytes)
            guard let message = try? Message.parse(buffer) else { continue }
            try walk(message.json, message.json.root, seed: seed, round: round)
            _ = message.methodName
            #expect(String(validating: bytes, as: UTF8.self) != nil, "seed \(seed), round \(round): invalid UTF-8 was accepted")
        }
    }

    /// Looks at every member and element; each must itself be valid JSON.
    private func walk(_ json: JSONText, _ span: JSONSpan, seed: UInt64, round: Int) throws {
        let slice = try #require(json.slice(span))
        #expect((try? JSONText(validating: slice)) != nil, "seed \(seed), round \(round)")
        _ = json.string(span)
        _ = json.integer(span)
        _ = json.unsigned(span)
        var children: [JSONSpan] = json.elements(of: span)
        json.forEachMember(of: span) { _, value in
            children.append(value)
            return true
        }
        for child in children { try walk(json, child, seed: seed, round: round) }
    }
}
