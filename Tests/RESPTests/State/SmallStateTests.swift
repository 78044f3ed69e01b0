import NIOCore
import Testing

@testable import RESP

@Suite("Waits between attempts to connect")
struct ReconnectBackoffTests {
    @Test("double up to the longest, of which a random part is waited")
    func growth() {
        var backoff = ReconnectBackoff(base: .milliseconds(50), max: .seconds(1))
        #expect((0..<7).map { _ in backoff.next(fraction: 1) } == [50, 100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        #expect(backoff.next(fraction: 0.5) == .milliseconds(500))
        #expect(backoff.next(fraction: 0) == .milliseconds(0))
        backoff.reset()
        #expect(backoff.next(fraction: 1) == .milliseconds(50))
        for _ in 0..<100 { _ = backoff.next(fraction: 1) }
        #expect(backoff.next(fraction: 1) == .seconds(1))
    }
}

@Suite("The health of a connection")
struct HealthCheckTests {
    @Test("is asked for after a while without bytes, and doubted when an answer does not come")
    func silence() {
        var health = HealthCheck(pingInterval: .seconds(1), silenceLimit: .seconds(2), now: .time(10))
        #expect(health.verdict(now: .time(10)) == .wait(until: .time(11)))
        #expect(health.verdict(now: .time(11)) == .ping)
        health.wrote(now: .time(11))
        #expect(health.verdict(now: .time(11)) == .wait(until: .time(13)))
        health.wrote(now: .time(12))
        #expect(health.verdict(now: .time(12)) == .wait(until: .time(13)), "what is written later does not extend it")
        #expect(health.verdict(now: .time(13)) == .dead)
    }

    @Test("is proven by any byte, and no answer is due when all have come")
    func reading() {
        var health = HealthCheck(pingInterval: .seconds(1), silenceLimit: .seconds(2), now: .time(10))
        health.wrote(now: .time(10))
        health.read(now: .time(11), isExpecting: true)
        #expect(health.verdict(now: .time(12)) == .wait(until: .time(13)))
        health.read(now: .time(12), isExpecting: false)
        #expect(health.verdict(now: .time(12)) == .wait(until: .time(13)))
        #expect(health.verdict(now: .time(13)) == .ping)
    }
}

@Suite("The channels of a subscription")
struct ChannelSetTests {
    @Test("are confirmed when the server has confirmed each")
    func confirmation() {
        var channels = ChannelSet()
        #expect(channels.isConfirmed)
        #expect(channels.add(["a", "b", "a"]) == ["a", "b"])
        channels.sent(["a", "b"])
        #expect(channels.confirm("a") == true)
        #expect(!channels.isConfirmed)
        #expect(channels.isWaiting)
        #expect(channels.confirm("b") == true)
        #expect(channels.isConfirmed)
        #expect(!channels.isWaiting)
        #expect(channels.confirm("c") == false, "nobody asked for it")
        channels.connectionLost()
        #expect(!channels.isConfirmed)
        #expect(channels.wanted == ["a", "b"])
    }

    @Test("that were removed and added again count from the last confirmation on")
    func removal() {
        var channels = ChannelSet()
        _ = channels.add(["a"])
        channels.sent(["a"])
        #expect(channels.remove(["a", "x"]) == ["a"])
        #expect(channels.add(["a"]) == ["a"])
        channels.sent(["a"])
        #expect(channels.confirm("a") == false, "the server unsubscribes it after this")
        #expect(channels.confirm("a") == true)
        #expect(channels.isConfirmed)
        #expect(channels.remove(["a"]) == ["a"])
        #expect(channels.isConfirmed)
    }

    @Test("that were removed before they were confirmed are not confirmed")
    func removalBefore() {
        var channels = ChannelSet()
        _ = channels.add(["a"])
        channels.sent(["a"])
        _ = channels.remove(["a"])
        #expect(channels.confirm("a") == false)
        #expect(channels.isConfirmed)
        #expect(!channels.isWaiting)
    }
}

@Suite("The list of sentinels")
struct SentinelListTests {
    private func address(_ port: Int) -> RedisAddress { RedisAddress(host: "h", port: port) }

    @Test("has the one that answered first and the one that did not last; learns others up to a bound")
    func order() {
        var list = SentinelList([address(1), address(2), address(1)], limit: 4)
        #expect(list.addresses.map(\.port) == [1, 2])
        list.learn([address(2), address(3), address(4), address(5)])
        #expect(list.addresses.map(\.port) == [1, 2, 3, 4])
        list.demote(address(1))
        #expect(list.addresses.map(\.port) == [2, 3, 4, 1])
        list.prefer(address(4))
        #expect(list.addresses.map(\.port) == [4, 2, 3, 1])
        list.prefer(address(9))
        list.demote(address(9))
        #expect(list.addresses.map(\.port) == [4, 2, 3, 1])
    }

    @Test("what sentinels say is read in both protocols, and what makes no sense is not")
    func replies() {
        func texts(_ words: String...) -> RESPValue { .array(words.map { .blobString(ByteBuffer(string: $0)) }) }
        #expect(SentinelReply.masterAddress(texts("10.0.0.1", "6379")) == RedisAddress(host: "10.0.0.1", port: 6379))
        for value in [RESPValue.null, texts("a"), texts("a", "b"), texts("", "1"), texts("a", "0"), texts("a", "65536"), .integer(1)] {
            #expect(SentinelReply.masterAddress(value) == nil)
        }
        let map = RESPValue.map([
            .init(key: .simpleString("ip"), value: .simpleString("c")), .init(key: .simpleString("port"), value: .simpleString("3")),
        ])
        let sentinels = SentinelReply.sentinels(.array([texts("name", "x", "ip", "b", "port", "2"), map, texts("ip", "d"), .null]))
        #expect(sentinels == [RedisAddress(host: "b", port: 2), RedisAddress(host: "c", port: 3)])
        #expect(SentinelReply.newMaster("mymaster 127.0.0.1 1 127.0.0.2 2", of: "mymaster") == RedisAddress(host: "127.0.0.2", port: 2))
        #expect(SentinelReply.newMaster("my master 127.0.0.1 1 ::2 2", of: "my master") == RedisAddress(host: "::2", port: 2))
        let promoted = "slave 127.0.0.2:2 127.0.0.2 2 @ my master 127.0.0.1 1"
        let replica = SentinelReply.replica(promoted, of: "my master")
        #expect(replica?.replica == RedisAddress(host: "127.0.0.2", port: 2))
        #expect(replica?.master == RedisAddress(host: "127.0.0.1", port: 1))
        #expect(SentinelReply.replica(promoted, of: "master") == nil)
        #expect(SentinelReply.replica("slave a b 2", of: "b") == nil)
        #expect(SentinelReply.replica("slave a b x @ m c 1", of: "m") == nil)
        for payload in ["other a 1 b 2", "mymaster a 1 b x", "mymaster a 1", "", "mymaster a 1 b 99999"] {
            #expect(SentinelReply.newMaster(payload, of: "mymaster") == nil)
        }
    }
}
