import GatewayCore
import NIOConcurrencyHelpers
import NIOCore
import RESP
import RedisServers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("The directory of instances")
struct DirectoryTests {
    @Test("instances see each other, what they are, that one drains and that it left")
    func peers() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        try await eventually("one sees two") { one.peers.map(\.identity) == [two.identity] }
        let record = try #require(two.peers.first)
        #expect(record.identity == one.identity)
        #expect(record.address.authority == "127.0.0.1:1")
        #expect(record.version == "1")
        #expect(record.colour == "blue")
        #expect(!record.isDraining)
        one.beginDraining()
        try await eventually("two sees that one drains") { two.peers.first?.isDraining == true }
        await one.close()
        try await eventually("two sees that one left") { two.peers.isEmpty }
        #expect(two.lease == .held(generation: 0))
        await two.close()
    }

    @Test("records that are garbage are those of dead instances; they stop nobody")
    func garbage() async throws {
        let bench = try Bench()
        let one = try await bench.open("one")
        try await one.raw("SADD", one.keys.instances, "ghost")
        try await one.raw("HSET", one.keys.instance("ghost"), "incarnation", "5", "seen", "garbage")
        try await one.raw("HSET", one.keys.cluster, "incarnations", "x", "grace", "y", "beat", "z")
        try await one.raw("SADD", one.keys.instances, "text")
        try await one.raw("SET", one.keys.instance("text"), "x")
        let two = try await bench.open("two")
        #expect(two.identity.incarnation > one.identity.incarnation)
        try await eventually("they see each other") {
            one.peers.map(\.identity) == [two.identity] && two.peers.map(\.identity) == [one.identity]
        }
        await one.close()
        await two.close()
    }

    @Test("an instance whose address no other reaches is passed over, which is logged once")
    func unaddressed() async throws {
        let bench = try Bench()
        let log = RecordingLog()
        let lost = try await bench.open("lost", address: "http://0.0.0.0:1")
        let (one, two) = (try await bench.open("one", logger: log.logger), try await bench.open("two"))
        try await eventually("one sees two") { one.peers.map(\.identity) == [two.identity] }
        let session = Sample.session()
        try await lost.create(session)
        await #expect {
            _ = try await one.claim(session.id)
        } throws: {
            ($0 as? StoreError)?.reason.contains("cluster.address") == true
        }
        two.beginDraining()
        try await eventually("one has heard of two again") { one.peers.first?.isDraining == true }
        #expect(log.messages.filter { $0.contains("no other reaches it") }.count == 1)
        for store in [lost, one, two] { await store.close() }
    }

    @Test("an instance with the address of another is told, once; who was there before is not, nor is another address")
    func twins() async throws {
        let bench = try Bench()
        let log = RecordingLog()
        let one = try await bench.open("one", address: "http://10.0.0.1:80", logger: log.logger)
        let (twin, other) = (
            try await bench.open("twin", address: "http://10.0.0.1"), try await bench.open("other", address: "http://10.0.0.1:81")
        )
        let told = { log.messages.filter { $0.contains("another instance has the address of this one") }.count }
        try await eventually("one sees both") { one.peers.count == 2 }
        #expect(told() == 0)
        try await eventually("it is told") { told() > 0 }
        other.beginDraining()
        try await eventually("one has heard of another again") { one.peers.contains { $0.isDraining } }
        #expect(told() == 1)
        for store in [one, twin, other] { await store.close() }
    }

    @Test("who finds no secret waits for an instance that has it in memory, and makes one when there is none")
    func lostSecret() async throws {
        let bench = try Bench()
        let one = try await bench.open("one") { $0.secretWait = .milliseconds(300) }
        one.freeze()
        try await one.raw("DEL", one.keys.cluster)
        async let opened = bench.open("two") { $0.secretWait = .seconds(60) }
        try await eventually("two looks for it") { try await one.raw("HEXISTS", one.keys.cluster, "id").int == 1 }
        #expect(try await one.raw("HEXISTS", one.keys.cluster, "secret").int == 0)
        one.thaw()
        let two = try await opened
        #expect(two.signingKey() == one.signingKey())
        #expect(one.failure == nil && two.failure == nil)
        for store in [one, two] { await store.close() }
    }

    @Test("nobody is taken for dead when the clock of Redis jumps, as a failover to another machine lets it", arguments: [-10_000, 10_000])
    func jump(milliseconds: Int64) async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        let session = Sample.session()
        try await one.create(session)
        try await eventually("two sees one") { two.peers.count == 1 }
        one.freeze()
        two.freeze()
        // What the old clock wrote is as far from the new one's time.
        let then = RedisArgument.integer(GatewayClock.system.now().milliseconds - milliseconds)
        for name in ["one", "two"] { try await one.raw("HSET", one.keys.instance(name), "seen", then) }
        try await one.raw("HSET", one.keys.cluster, "beat", then)
        guard case .elsewhere = try await two.claim(session.id) else { return #expect(Bool(false), "its home lives") }
        two.thaw()
        try await eventually("two was heard of at the new time") {
            try await one.raw("HGET", one.keys.instance("two"), "seen").text.flatMap { Int64($0) }.map {
                abs($0 - GatewayClock.system.now().milliseconds) < 5_000
            } == true
        }
        guard case .elsewhere = try await two.claim(session.id) else { return #expect(Bool(false), "its home lives still") }
        for store in [one, two] { await store.close() }
    }

    @Test("an instance that is frozen loses its lease by itself, the others miss it, and afterwards it is another generation")
    func lapse() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        try await eventually("two sees one") { two.peers.count == 1 }
        #expect(one.lease == .held(generation: 0))
        one.freeze()
        try await eventually("one knows") { one.lease == .lapsed(generation: 0) }
        try await eventually("two knows") { two.peers.isEmpty }
        one.thaw()
        try await eventually("one is back") { one.lease == .held(generation: 1) }
        try await eventually("two sees it") { two.peers.map(\.identity) == [one.identity] }
        for store in [one, two] { await store.close() }
    }

    @Test("a second life of a name takes it over: the first one's lease does not come back, and it writes nothing")
    func replaced() async throws {
        let bench = try Bench()
        let first = try await bench.open("one")
        let session = Sample.session()
        try await first.create(session)
        let told = NIOLockedValueBox(0)
        first.onReplaced { told.withLockedValue { $0 += 1 } }
        let second = try await bench.open("one")
        #expect(second.identity.name == first.identity.name)
        #expect(second.identity.incarnation > first.identity.incarnation)
        try await eventually("the first one knows") { first.failure?.contains("another process") == true }
        #expect(first.lease == .lapsed(generation: 0))
        #expect(told.withLockedValue { $0 } == 1)
        for write in [
            { _ = try await first.create(Sample.session()) }, { _ = try await first.claim(session.id) },
            { try await first.setAttribute(.logLevel, of: session.id, to: "1") },
        ] as [@Sendable () async throws -> Void] {
            await #expect {
                try await write()
            } throws: {
                ($0 as? StoreError)?.kind == .fenced
            }
        }
        #expect(try await second.claim(session.id) == .mine(session, wasMine: false))
        #expect(second.peers == [])
        // Its end does not take the record of the other with it.
        await first.close()
        #expect(second.lease == .held(generation: 0))
        #expect(try await second.raw("EXISTS", second.keys.instance("one")).int == 1)
        await second.close()
    }

    @Test("all instances have the same secret, made once or from a file; another one is refused")
    func secrets() async throws {
        let bench = try Bench()
        let (one, two) = (try await bench.open("one"), try await bench.open("two"))
        #expect(one.signingKey() == two.signingKey())
        #expect(one.signingKey().count == 32)
        for store in [one, two] { await store.close() }
        let key = [UInt8](repeating: 1, count: 40)
        await #expect(throws: RedisStoreError.otherSecret(isFromFile: true)) { try await bench.open { $0.secret = key } }
        await #expect(throws: RedisStoreError.shortSecret(bytes: 31)) { try await bench.open { $0.secret = Array(key.prefix(31)) } }

        let other = try Bench()
        let three = try await other.open { $0.secret = key }
        #expect(three.signingKey() == key)
        #expect(try await three.raw("HGET", three.keys.cluster, "secret").text?.hasPrefix("file:") == true)
        await three.close()
        let four = try await other.open { $0.secret = key }
        await four.close()
        await #expect(throws: RedisStoreError.otherSecret(isFromFile: false)) { try await other.open() }
    }

    @Test("an instance that Redis does not let in, or that may not do what it must, says so at once and without the password")
    func refused() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        let store = try await bench.open()
        try await store.raw("ACL", "SETUSER", "limited", "on", ">s3cret", "~*", "&*", "+@all", "-evalsha")
        try await store.raw("CONFIG", "SET", "requirepass", "s3cret")
        for (user, reason) in [(":wr0ng@", "WRONGPASS"), ("", "NOAUTH"), ("limited:s3cret@", "NOPERM")] {
            let started = ContinuousClock.now
            let error = await #expect(throws: RedisStoreError.self) {
                _ = try await RedisStore.open(
                    redis: RedisConfiguration(url: "redis://\(user)127.0.0.1:\(bench.server.port)"), instance: store.instance,
                    options: store.options, logger: .quiet)
            }
            guard case .refused(let server, let detail)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(server == "redis://127.0.0.1:\(bench.server.port)/0")
            #expect(detail.contains(reason))
            #expect(!"\(error!)".contains("s3cret") && !"\(error!)".contains("wr0ng"))
            #expect(ContinuousClock.now - started < store.options.openTimeout)
        }
        await store.close()
    }

    @Test("an instance that finds no Redis says so, in time")
    func unreachable() async throws {
        let bench = try Bench(isOwn: true)
        defer { withExtendedLifetime(bench) {} }
        bench.server.kill()
        do {
            _ = try await bench.open { $0.openTimeout = .milliseconds(200) }
            Issue.record("opened")
        } catch let error as RedisStoreError {
            #expect(error.description.contains("did not answer within 0.2 s"))
            #expect(error.description.contains("127.0.0.1:\(bench.server.port)"))
        }
    }
}
