import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite struct SmallValuesTests {
    @Test("Event ids read back what they write")
    func eventIDs() throws {
        for prefix in [StreamID.Prefix.exchange, .listening, .waiting] {
            let id = EventID(stream: .random(prefix), sequence: .max)
            #expect(EventID(id.description) == id)
            #expect(id.stream.wasBegunWaiting == (prefix == .waiting))
        }
        #expect(EventID("labc2.0") == EventID(stream: StreamID("labc2"), sequence: 0))
        #expect(EventID("a.18446744073709551615")?.sequence == .max)
        #expect(Set((0..<1000).map { _ in StreamID.random(.exchange) }).count == 1000)
    }

    @Test(
        "What the gateway never gave out is no event id",
        arguments: [
            "", ".", "a", "a.", ".1", "a.b", "a.-1", "a.+1", "a.1 ", " a.1", "A.1", "a-b.1", "a.b.1", "é.1", "a.１",
            "a.18446744073709551616", "a.1\n", "a\0.1",
            "../x.1", String(repeating: "a", count: 63) + ".1",
        ])
    func badEventIDs(_ text: String) { #expect(EventID(text) == nil) }

    @Test("A position in a list of sessions reads back what it writes, which is the half of an id that anybody may know")
    func sessionPositions() throws {
        let id = try #require(SessionID("0a4b8c7d-0123-4567-8000-000000000000"))
        let position = SessionPosition(after: id, createdAt: WallTime(milliseconds: 1_795_505_802_005))
        #expect(position.description == "1795505802005-0a4b8c7d01234567")
        #expect(SessionPosition(position.description) == position)
        #expect(position.lastID.description == "0a4b8c7d-0123-4567-ffff-ffffffffffff")
        for text in [
            "", "-", "1", "1-", "-0a4b8c7d01234567", "1-0a4b8c7d0123456", "1-0a4b8c7d012345678", "1-0a4b8c7d", "1-0A4B8C7D01234567",
            "+1-0a4b8c7d01234567",
            "-1-0a4b8c7d01234567", "1234567890123456-0a4b8c7d01234567", "1-+a4b8c7d01234567", " 1-0a4b8c7d01234567",
            "1-0a4b8c7d01234567\n", id.description,
        ] {
            #expect(SessionPosition(text) == nil, "\(text)")
        }
    }

    @Test("Log levels are ordered by severity")
    func logLevels() {
        let names = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
        #expect(LogLevel.allCases.sorted().map(\.rawValue) == names)
        for (lower, higher) in zip(LogLevel.allCases, LogLevel.allCases.dropFirst()) {
            #expect(lower < higher)
            #expect(!(higher < lower))
        }
        #expect(LogLevel(rawValue: "Error") == nil)
        #expect(LogLevel(rawValue: "trace") == nil)
    }

    @Test("A numeric and a textual id with the same digits are different requests")
    func requestKeys() throws {
        let json = try JSONText(validating: ByteBuffer(string: #"[1,"1",1,-1,18446744073709551616,"",99999999999999999999]"#))
        let keys = json.elements(of: json.root).map { RequestKey($0, in: json) }
        #expect(keys[0] != keys[1])
        #expect(keys[0] == keys[2])
        #expect(Set(keys).count == 6)
        #expect(keys[0] == .number(1))
        #expect(keys[1] == .text("\"1\""))
    }

    @Test("Wall time is moved by durations, to the millisecond")
    func wallTime() {
        let time = WallTime(milliseconds: 1000)
        #expect(time + .seconds(1) == WallTime(milliseconds: 2000))
        #expect(time - .milliseconds(1500) == WallTime(milliseconds: -500))
        #expect(time - .seconds(24 * 3600) < time)
    }

    @Test("Session attributes carry their URI or task id")
    func attributes() {
        #expect(SessionAttribute.subscription(uri: "a:b").subscribedURI == "a:b")
        #expect(SessionAttribute.subscription(uri: "task:x").taskID == nil)
        #expect(SessionAttribute.task(id: "").taskID == "")
        #expect(SessionAttribute.logLevel.subscribedURI == nil)
    }
}
