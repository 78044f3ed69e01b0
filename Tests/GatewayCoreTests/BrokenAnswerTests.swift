import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite("Answers that cannot be read")
struct BrokenAnswerTests {
    private static let deep = String(repeating: #"{"id":1,"a":["#, count: 600) + String(repeating: "]}", count: 600)

    private func calls(_ text: String) throws -> [UInt64] {
        let bytes = ByteBuffer(string: text)
        do throws(MessageError) {
            _ = try Message.parse(bytes)
        } catch {
            return BrokenAnswer.calls(of: error, in: bytes)
        }
        Issue.record("it can be read")
        return []
    }

    @Test(
        "tell their call when they look like answers",
        arguments: [
            (#"{"jsonrpc":"2.0","id":7,"result":{"a":"b"#, 7), (#"{"id" : 12,"jsonrpc":"2.0","result":{]}"#, 12),
            (#"{"jsonrpc":"2.0","id":"7","result":{"#, 7), (#"{"jsonrpc":"2.0","error":{"message":"id","id":3},"id":5,}"#, 5),
            (#"{"jsonrpc":"2.0","id":7}"#, 7), (#"{"id":7,"#, nil), (#"{"jsonrpc":"2.0","id":-1,"result":"#, nil),
            (#"{"jsonrpc":"2.0","id""#, nil),
            (#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#, nil), (#"{"jsonrpc":"2.0","result":{},"id":15"#, nil),
            (#"{"jsonrpc":"2.0","id":99999999999999999999999,"result":"#, nil), (#"{"jsonrpc":"2.0","id":1,"id":2,"result":{}}"#, nil),
            (#"{"jsonrpc":"2.0","id":1,"id":1,"result":{}}"#, 1), ("", nil), ("hello", nil), ("\"", nil), (#"{"\"#, nil),
            (#"sent {"jsonrpc":"2.0","id":7,"result":{}}"#, nil),
        ] as [(String, UInt64?)])
    func scan(text: String, call: UInt64?) throws {
        #expect(try calls(text) == [call].compactMap { $0 })
    }

    @Test("nested too deeply, they tell the id of the message and not one within the result, wherever it stands")
    func deep() throws {
        #expect(try calls("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\(Self.deep)}") == [7])
        #expect(try calls("{\"result\":\(Self.deep),\"id\":7,\"jsonrpc\":\"2.0\"}") == [7])
        #expect(try calls("{\"result\":\(Self.deep),\"jsonrpc\":\"2.0\"}") == [])
        #expect(
            try calls("[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}},{\"result\":\(Self.deep),\"id\":8,\"jsonrpc\":\"2.0\"}]") == [7, 8])
    }

    @Test("a broken request of the server's own is nobody's answer")
    func requests() throws {
        #expect(try calls(#"{"jsonrpc":"2.0","id":7,"method":5}"#) == [])
        #expect(try calls("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\",\"params\":\(Self.deep)}") == [])
        #expect(try calls("{\"jsonrpc\":\"2.0\",\"id\":7,\"params\":\(Self.deep)}") == [])
    }

    @Test("the call fails at once, in a batch too")
    func peer() throws {
        let bench = PeerBench()
        bench.makeReady()
        let (first, second, third) = (try bench.call(), try bench.call(), try bench.call())
        bench.link.receive("{\"result\":\(Self.deep),\"id\":\(try #require(first.call)),\"jsonrpc\":\"2.0\"}")
        #expect(first.causes == [.upstreamBroken])
        #expect(first.failures[0].message.contains("nested too deeply"))
        bench.link.receive(
            "[{\"jsonrpc\":\"2.0\",\"id\":\(try #require(second.call))},{\"jsonrpc\":\"2.0\",\"id\":\(try #require(third.call)),\"result\":{}}]"
        )
        #expect(second.causes == [.upstreamBroken])
        #expect(third.responses.count == 1)
    }
}
