import NIOCore
import Testing

@testable import RESP

@Suite("What is written")
struct WriterTests {
    @Test("values are read as they were written")
    func roundTrip() throws {
        for (_, value) in ParserTests.values {
            var buffer = ByteBuffer()
            value.write(to: &buffer)
            var parser = RESPParser()
            parser.append(buffer)
            #expect(try parser.next() == value)
            #expect(!parser.isInsideValue)
        }
    }

    @Test("a command is an array of blobs")
    func command() {
        let command = RedisCommand("SET", "clé", .bytes(ByteBuffer(bytes: [0, 13, 10])), 42, .text(""))
        #expect(String(buffer: command.bytes) == "*5\r\n$3\r\nSET\r\n$4\r\nclé\r\n$3\r\n\0\r\n\r\n$2\r\n42\r\n$0\r\n\r\n")
        #expect(String(buffer: RedisCommand("PING").bytes) == "*1\r\n$4\r\nPING\r\n")
        #expect(String(buffer: RedisCommand("GET", arguments: ["\(1)-x"]).bytes) == "*2\r\n$3\r\nGET\r\n$3\r\n1-x\r\n")
    }

    @Test(
        "scripts are named by their SHA-1",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
            (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ])
    func digest(source: String, digest: String) {
        #expect(RedisScript(source).digest == digest)
    }

    @Test("readers hide the difference between the protocols")
    func readers() {
        let flat = RESPValue.array([.simpleString("a"), .integer(1), .simpleString("b"), .integer(2)])
        let map = RESPValue.map([.init(key: .simpleString("a"), value: .integer(1)), .init(key: .simpleString("b"), value: .integer(2))])
        #expect(flat.entries == map.entries)
        #expect(RESPValue.blobString(ByteBuffer(string: "1.5")).number == 1.5)
        #expect(RESPValue.double(1.5).number == 1.5)
        #expect(RESPValue.boolean(true).int == 1)
        #expect(RESPValue.blobString(ByteBuffer(string: "12")).int == 12)
        #expect(RESPValue.blobString(ByteBuffer(string: "x")).int == nil)
        #expect(RESPValue.null.text == nil)
        #expect(RESPValue.null.isNull)
        #expect(RESPValue.integer(1).entries == nil)
    }

    @Test("the code of an error is its first word")
    func code() {
        #expect(RESPServerError("WRONGTYPE Operation against").code == "WRONGTYPE")
        #expect(RESPServerError("").code == "")
    }
}
