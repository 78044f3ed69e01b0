import Testing

@testable import GatewayCore

@Suite struct SessionIDTests {
    private let authority = SessionIDAuthority(key: Array(repeating: 7, count: 32))

    @Test("Ids are version-4 UUIDs of the right variant, lower case")
    func shape() throws {
        for _ in 0..<500 {
            let text = Array(authority.make().description)
            #expect(text.count == 36)
            #expect(text.indices.filter { text[$0] == "-" } == [8, 13, 18, 23])
            #expect(text[14] == "4")
            #expect("89ab".contains(text[19]))
            #expect(text.allSatisfy { $0 == "-" || $0.isHexDigit && !$0.isUppercase })
        }
    }

    @Test("Ids differ, and the same random bits give the same id")
    func uniqueness() {
        #expect(Set((0..<1000).map { _ in authority.make() }).count == 1000)
        #expect(authority.make(random: 42) == authority.make(random: 42))
        #expect(authority.make(random: 42) != authority.make(random: 43))
        #expect(authority.make(random: .max).description.contains("-4"))
    }

    @Test("An authority knows its own ids; another key's, and random UUIDs, are forged")
    func genuine() {
        let other = SessionIDAuthority(key: Array(repeating: 8, count: 32))
        let sameKey = SessionIDAuthority(key: Array(repeating: 7, count: 32))
        for random in [0, 1, .max, 0x0123_4567_89AB_CDEF] as [UInt64] {
            let id = authority.make(random: random)
            #expect(authority.isGenuine(id))
            #expect(sameKey.isGenuine(id))
            #expect(!other.isGenuine(id))
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let id = SessionID(high: generator.next() & ~0xF000 | 0x4000, low: generator.next() & ~(3 << 62) | 2 << 62)
            #expect(!authority.isGenuine(id))
        }
    }

    @Test("An id with any single bit flipped is refused")
    func flippedBits() throws {
        let id = authority.make(random: 0xDEAD_BEEF_0BAD_CAFE)
        for bit in 0..<128 {
            var bytes = id.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let flipped = try #require(SessionID(bytes: bytes))
            #expect(!authority.isGenuine(flipped), "bit \(bit)")
        }
    }

    @Test("Text and bytes read back to the same id, upper case too")
    func roundTrip() {
        let id = authority.make()
        #expect(SessionID(id.description) == id)
        #expect(SessionID(id.description.uppercased()) == id)
        #expect(SessionID(bytes: id.bytes) == id)
        #expect(id.bytes.count == 16)
    }

    @Test(
        "Anything but 36 characters of UUID is refused",
        arguments: [
            "", "x", "00000000-0000-4000-8000-00000000000", "00000000-0000-4000-8000-0000000000000", "000000000-000-4000-8000-000000000000",
            "00000000-0000-4000-8000-00000000000g", "{0000000-0000-4000-8000-00000000000}", "00000000_0000_4000_8000_000000000000",
            "0000000000004000800000000000000000000", "00000000-0000-4000-8000-0000000000\u{00E9}", " 0000000-0000-4000-8000-000000000000",
            "00000000-0000-4000-8000-00000000000\0",
        ])
    func parseErrors(_ text: String) { #expect(SessionID(text) == nil) }

    @Test("Fewer or more than 16 bytes are no id")
    func byteCounts() {
        for count in [0, 1, 15, 17, 32] { #expect(SessionID(bytes: Array(repeating: 1, count: count)) == nil) }
    }

    @Test("Logs show the first eight digits only")
    func shortened() {
        let id = authority.make()
        #expect(id.shortened == String(id.description.prefix(8)) + "…")
    }

    @Test("Among instances an id begins with three digits that stand for the one that made it, and is as genuine as any")
    func hint() {
        let hint = HomeHint(authority: "10.0.0.5:3001")
        let hinted = SessionIDAuthority(key: Array(repeating: 7, count: 32), hint: hint)
        let ids = Set((0..<1000).map { _ in hinted.make() })
        #expect(ids.count == 1000)
        #expect(hint.description.count == 3)
        #expect(ids.allSatisfy { $0.description.hasPrefix(hint.description) && authority.isGenuine($0) })
        #expect(hint == HomeHint(authority: "10.0.0.5:3001"))
        #expect(HomeHint(authority: "Gateway-1.example:80") == HomeHint(authority: "gateway-1.example:80"))
        #expect(Set((1...50).map { HomeHint(authority: "10.0.0.\($0):3001") }).count > 40)
        #expect(Set((1...5000).map { HomeHint(authority: "10.0.0.1:\($0)").description.count }) == [3])
    }
}
