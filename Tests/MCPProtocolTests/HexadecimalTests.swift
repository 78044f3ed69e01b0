import MCPProtocol
import Testing

@Suite("Hexadecimal digits")
struct HexadecimalTests {
    @Test("every byte is read back from its two digits, in either case")
    func bytes() {
        let bytes = Array(UInt8.min...UInt8.max)
        let text = Hexadecimal.text(of: bytes)
        #expect(text.hasPrefix("000102") && text.hasSuffix("fdfeff"))
        #expect(Hexadecimal.bytes(of: text) == bytes)
        #expect(Hexadecimal.bytes(of: text.uppercased()) == bytes)
        #expect(Hexadecimal.bytes(of: "") == [])
        for digit in UInt8.min...UInt8.max {
            #expect(Hexadecimal.value(of: digit) == (Character(Unicode.Scalar(digit)).hexDigitValue.map { UInt8($0) }))
        }
    }

    @Test("what is not pairs of digits is none", arguments: ["0", "000", "0g", "g0", " 00", "+1", "é0", "0\0"])
    func nonsense(text: String) {
        #expect(Hexadecimal.bytes(of: text) == nil)
    }
}
