import NIOCore
import Testing

@testable import RESP

@Suite("The RESP parser")
struct ParserTests {
    private static func blob(_ text: String) -> RESPValue { .blobString(ByteBuffer(string: text)) }

    /// Every kind of value on the wire, and what it is.
    static let values: [(wire: String, value: RESPValue)] = [
        ("+OK\r\n", .simpleString("OK")), ("+\r\n", .simpleString("")),
        ("-ERR no such thing\r\n", .error(RESPServerError("ERR no such thing"))),
        ("!11\r\nSYNTAX \r\nab\r\n", .error(RESPServerError("SYNTAX \r\nab"))),
        (":0\r\n", .integer(0)), (":-7\r\n", .integer(-7)), (":+7\r\n", .integer(7)),
        (":9223372036854775807\r\n", .integer(.max)), (":-9223372036854775808\r\n", .integer(.min)),
        ("$0\r\n\r\n", blob("")), ("$5\r\nhello\r\n", blob("hello")), ("$6\r\na\r\nb\r\n\r\n", blob("a\r\nb\r\n")),
        ("$-1\r\n", .null), ("*-1\r\n", .null), ("_\r\n", .null),
        ("#t\r\n", .boolean(true)), ("#f\r\n", .boolean(false)),
        (",1.5\r\n", .double(1.5)), (",10\r\n", .double(10)), (",-1e-3\r\n", .double(-0.001)), (",inf\r\n", .double(.infinity)),
        (",-inf\r\n", .double(-.infinity)),
        ("(-3492890328409238509324850943850943825024385\r\n", .bigNumber("-3492890328409238509324850943850943825024385")),
        ("=8\r\ntxt:some\r\n", .verbatim(format: "txt", ByteBuffer(string: "some"))),
        ("*0\r\n", .array([])), ("~0\r\n", .set([])), ("%0\r\n", .map([])),
        ("*2\r\n:1\r\n$1\r\na\r\n", .array([.integer(1), blob("a")])),
        (
            "*3\r\n*1\r\n*0\r\n$-1\r\n*2\r\n+a\r\n-b\r\n",
            .array([.array([.array([])]), .null, .array([.simpleString("a"), .error(RESPServerError("b"))])])
        ),
        ("~2\r\n+a\r\n+b\r\n", .set([.simpleString("a"), .simpleString("b")])),
        (
            "%2\r\n+k\r\n:1\r\n+l\r\n%1\r\n:1\r\n_\r\n",
            .map([
                RESPValue.Entry(key: .simpleString("k"), value: .integer(1)),
                RESPValue.Entry(key: .simpleString("l"), value: .map([RESPValue.Entry(key: .integer(1), value: .null)])),
            ])
        ),
        (">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n", .push([blob("message"), blob("c"), blob("p")])),
        ("|1\r\n+ttl\r\n:5\r\n:1\r\n", .integer(1)),
        ("*2\r\n:1\r\n|2\r\n+a\r\n*1\r\n:9\r\n+b\r\n|1\r\n+c\r\n:1\r\n:8\r\n:2\r\n", .array([.integer(1), .integer(2)])),
        ("|0\r\n+x\r\n", .simpleString("x")),
    ]

    @Test("reads every kind of value")
    func kinds() throws {
        for (wire, value) in Self.values {
            var parser = RESPParser()
            parser.append(ByteBuffer(string: wire))
            #expect(try parser.next() == value, "\(wire)")
            #expect(try parser.next() == nil)
            #expect(!parser.isInsideValue)
        }
    }

    @Test("reads the same values wherever the input is cut in two, and byte by byte")
    func cuts() throws {
        let wire = Self.values.map(\.wire).joined()
        let expected = Self.values.map(\.value)
        let bytes = Array(wire.utf8)
        func parse(_ pieces: [ArraySlice<UInt8>]) throws -> [RESPValue] {
            var parser = RESPParser()
            var values: [RESPValue] = []
            for piece in pieces {
                parser.append(ByteBuffer(bytes: piece))
                while let value = try parser.next() { values.append(value) }
            }
            #expect(!parser.isInsideValue)
            return values
        }
        for cut in 0...bytes.count { #expect(try parse([bytes[..<cut], bytes[cut...]]) == expected, "cut at \(cut)") }
        #expect(try parse(bytes.indices.map { bytes[$0...$0] }) == expected)
    }

    @Test("refuses what is malformed, and stays refused")
    func malformed() {
        for wire in [
            "x\r\n", "\r\n", "?1\r\n", "OK\r\n", ":\r\n", ":1a\r\n", ":9223372036854775808\r\n", ":--1\r\n", ": 1\r\n", "$a\r\n", "$-2\r\n",
            "$\r\n",
            "$?\r\n", "*?\r\n", "*-2\r\n", "%-1\r\n", "~-1\r\n", ">-1\r\n", "!-1\r\n", "=-1\r\n", "$1\r\nabc\r\n", "$1\r\na\n\r",
            "+a\rb\r\n", "_x\r\n",
            "#x\r\n", "#\r\n", "#tt\r\n", ",x\r\n", ",\r\n", ",0x1p3\r\n", ",infinity\r\n", "(\r\n", "(1.5\r\n", "(-\r\n", "=3\r\ntxt\r\n",
            "=4\r\ntxtx\r\n",
            "*1\r\n>1\r\n:1\r\n", "*2\r\n:1\r\n;1\r\n",
        ] {
            var parser = RESPParser()
            parser.append(ByteBuffer(string: wire))
            #expect(throws: RESPParserError.self, "\(wire.debugDescription)") { while try parser.next() != nil {} }
            parser.append(ByteBuffer(string: "+OK\r\n"))
            #expect(throws: RESPParserError.self, "\(wire.debugDescription), again") { try parser.next() }
        }
    }

    @Test(
        "refuses what exceeds a bound as soon as that is known, and takes what reaches it",
        arguments: [
            ("maxDepth", "*1\r\n*1\r\n*1\r\n:1\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n"),
            ("maxDepth", "*1\r\n|1\r\n+k\r\n%1\r\n:1\r\n:1\r\n:1\r\n", "*1\r\n|1\r\n+k\r\n*1\r\n*1\r\n"),
            ("maxBlobBytes", "$8\r\n12345678\r\n", "$9\r\n"), ("maxBlobBytes", "!8\r\n12345678\r\n", "$99999999999999\r\n"),
            ("maxElements", "*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", "*5\r\n"), ("maxElements", "%2\r\n:1\r\n:1\r\n:1\r\n:1\r\n", "%3\r\n"),
            ("maxElements", "%0\r\n", "%9223372036854775807\r\n"),
            ("maxLineBytes", "+12345678901234567890123\r\n", "+123456789012345678901234"),
            (
                "maxReplyBytes", "*2\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n",
                "*4\r\n$8\r\n12345678\r\n$8\r\n12345678\r\n$1\r\n1\r\n$1\r\n1\r\n"
            ),
        ])
    func bounds(limit: String, reaching: String, exceeding: String) throws {
        var limits = RESPLimits()
        limits.maxDepth = 3
        limits.maxBlobBytes = 8
        limits.maxElements = 4
        limits.maxLineBytes = 24
        limits.maxReplyBytes = 40
        var parser = RESPParser(limits: limits)
        parser.append(ByteBuffer(string: reaching + reaching))
        #expect(try parser.next() != nil)
        #expect(try parser.next() != nil)
        parser.append(ByteBuffer(string: exceeding))
        do throws(RESPParserError) {
            while try parser.next() != nil {}
            Issue.record("nothing was refused")
        } catch {
            guard case .limit(limit, _) = error else { return #expect("\(error)" == limit) }
        }
    }

    @Test("blobs are slices of what was read")
    func slices() throws {
        let text = String(repeating: "x", count: 100_000)
        let input = ByteBuffer(string: "*2\r\n$5\r\nhello\r\n$\(text.utf8.count)\r\n\(text)\r\n")
        var parser = RESPParser()
        parser.append(input)
        let value = try #require(try parser.next())
        let start = input.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        let end = start + UInt(input.readableBytes)
        for blob in try #require(value.elements).compactMap(\.bytes) {
            let address = blob.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
            #expect(start <= address && address < end, "a blob was copied")
        }
    }

    @Test("a large blob in many pieces is joined in one place, without the whole being copied for each")
    func joining() throws {
        let piece = ByteBuffer(repeating: 0x78, count: 16 * 1024)
        var parser = RESPParser()
        parser.append(ByteBuffer(string: "*2\r\n+a\r\n$\(piece.readableBytes * 1024)\r\n"))
        #expect(try parser.next() == nil)
        var places: Set<UInt> = []
        for _ in 0..<1024 {
            parser.append(piece)
            #expect(try parser.next() == nil)
            places.insert(parser.input.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) })
        }
        parser.append(ByteBuffer(string: "\r\n"))
        #expect(try parser.next()?.elements?.last?.bytes?.readableBytes == piece.readableBytes * 1024)
        #expect(places.count < 32, "it grows by doubling")
    }

    @Test("values that were handed out stay what they were while more is read")
    func stability() throws {
        var parser = RESPParser()
        var values: [RESPValue] = []
        let wire = (0..<500).map { "$6\r\n\(100_000 + $0)\r\n" }.joined()
        var rest = ByteBuffer(string: wire)
        while let piece = rest.readSlice(length: min(rest.readableBytes, 7)), piece.readableBytes > 0 {
            parser.append(ByteBuffer(bytes: piece.readableBytesView))
            while let value = try parser.next() { values.append(value) }
        }
        #expect(values.map(\.text) == (0..<500).map { "\(100_000 + $0)" })
    }

    @Test("numbers in many small pieces do not make the buffer grow without end")
    func reclaiming() throws {
        var parser = RESPParser()
        parser.append(ByteBuffer(string: ":1\r"))
        for _ in 0..<100_000 {
            parser.append(ByteBuffer(string: "\n:1\r"))
            #expect(try parser.next() == .integer(1))
        }
        #expect(parser.input.capacity < 4096)
    }
}
