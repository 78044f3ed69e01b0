import GatewayCore
import NIOCore
import RESP
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("Signals between instances")
struct BusTests {
    private final class Receiver: BusHandler {
        let heard = Recorder<String>()
        func received(_ message: BusMessage, from sender: InstanceIdentity) {
            heard.add("\(sender.name) \(message.topic.name) \(String(buffer: message.payload))")
        }
        func missedMessages(from sender: InstanceIdentity?) { heard.add("missed \(sender?.name ?? "all")") }
        func count(_ text: String) -> Int { heard.values.filter { $0 == text }.count }
    }

    private func publish(_ text: String, _ store: RedisStore) {
        store.publish(BusMessage(topic: .init(name: "t"), payload: ByteBuffer(string: text)))
    }

    /// Two stores that hear each other.
    private func pair(_ bench: Bench) async throws -> (RedisStore, RedisStore, Receiver) {
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let receiver = Receiver()
        two.onMessage(receiver)
        try await eventually("two hears one") {
            publish("hello", one)
            return receiver.count("one t hello") > 0
        }
        return (one, two, receiver)
    }

    @Test("come in the order of their publisher, once, and not back to it")
    func order() async throws {
        let (one, two, receiver) = try await pair(try Bench())
        let own = Receiver()
        one.onMessage(own)
        for number in 1...500 { publish("\(number)", one) }
        try await eventually("all came") { receiver.count("one t 500") == 1 }
        let expected = (1...500).map { "one t \($0)" }
        #expect(receiver.heard.values.suffix(500) == expected)
        publish("back", two)
        try await eventually("it came") { own.count("two t back") == 1 }
        #expect(own.heard.values.filter { $0.hasPrefix("one") }.isEmpty)
        for store in [one, two] { await store.close() }
    }

    @Test("that are lost show as a gap, also when nothing comes after them")
    func gaps() async throws {
        let (one, two, receiver) = try await pair(try Bench())
        let before = receiver.count("missed one")
        one.signals.publish(BusMessage(topic: .init(name: "t"), payload: ByteBuffer()), isLost: true)
        try await eventually("the heartbeats tell") { receiver.count("missed one") > before }
        one.signals.publish(BusMessage(topic: .init(name: "t"), payload: ByteBuffer()), isLost: true)
        publish("next", one)
        try await eventually("the next one tells") { receiver.count("one t next") == 1 }
        let heard = receiver.heard.values
        let gap = try #require(heard.lastIndex(of: "missed one"))
        #expect(gap == heard.count - 2)
        for store in [one, two] { await store.close() }
    }

    @Test("may be missed when the connection breaks, and the receiver is told")
    func reconnect() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let (one, two, receiver) = try await pair(bench)
        try await one.raw("CLIENT", "KILL", "TYPE", "pubsub")
        try await eventually("it is told") { receiver.count("missed all") >= 1 }
        publish("again", one)
        try await eventually("it goes on") { receiver.count("one t again") == 1 }
        #expect(two.statistics.missedSignals >= 1)
        for store in [one, two] { await store.close() }
    }
}
