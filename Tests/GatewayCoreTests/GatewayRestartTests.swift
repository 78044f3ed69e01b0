import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import GatewayCore

@Suite struct GatewayRestartTests {
    @Test("A session goes on after a restart, with its revision, server, level, subscriptions and tasks")
    func restore() throws {
        let stores = MemoryStores()
        let id: SessionID
        do {
            let server = ScriptedServer(
                "s", capabilities: #"{"resources":{"subscribe":true},"logging":{}}"#, lists: [.resources: #"{"uri":"x:1","name":"n"}"#])
            let bench = GatewayBench([server], stores: stores)
            let session = try bench.session(server: "s", version: "2025-06-18")
            id = session.id
            _ = try bench.request("logging/setLevel", #"{"level":"error"}"#, in: session)
            _ = try bench.request("resources/subscribe", #"{"uri":"x:1"}"#, in: session)
            server.link.answer(try #require(server.link.messages(of: .resourcesSubscribe).first), result: "{}")
            session.rememberTask("T", upstream: "s")
            try bench.accept(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, in: session)
        }
        // The first gateway's process is gone; what it wrote is what the second finds.
        #expect(stores.record(id)?.attributes.count == 4)
        let server = ScriptedServer(
            "s", capabilities: #"{"resources":{"subscribe":true}}"#, lists: [.resources: #"{"uri":"x:1","name":"n"}"#])
        let bench = GatewayBench([server], stores: stores)
        #expect(bench.gateway.sessionsInMemory == 1)
        let session = try #require(try bench.find(id))
        #expect(session.revision == .v2025_06_18)
        #expect(session.server == "s")
        #expect(session.isSubscribed(to: "x:1"))
        #expect(session.upstream(ofTask: "T") == "s")
        #expect(session.state.withLockedValue { $0.logLevel } == .error)
        _ = try bench.request("resources/read", #"{"uri":"x:1"}"#, in: session)
        #expect(server.link.messages(of: .resourcesRead).count == 1)
    }

    @Test("A session without subscriptions stays in the store until its client comes back")
    func lazyRestore() throws {
        let stores = MemoryStores()
        let first = GatewayBench(stores: stores)
        let id = try first.session().id
        let second = GatewayBench(stores: stores)
        #expect(second.gateway.sessionsInMemory == 0)
        #expect(try second.find(id)?.id == id)
        #expect(second.gateway.sessionsInMemory == 1)
        stores.failure = "unreachable"
        let third = GatewayBench(stores: stores)
        #expect(throws: StoreError.self) { try third.find(id) }
        stores.failure = nil
    }

    @Test("A session that expired while no gateway ran is not found")
    func expiredMeanwhile() throws {
        let stores = MemoryStores()
        let first = GatewayBench(stores: stores)
        let id = try first.session().id
        let second = GatewayBench(stores: stores, at: WallTime(milliseconds: 1_000_000_000) + .seconds(24 * 3600 + 1))
        #expect(try second.find(id) == nil)
    }

    @Test("A client that resumes the stream of a call that went down with its process gets an error for it")
    func lostExchange() throws {
        let stores = MemoryStores()
        let (id, stream): (SessionID, StreamID)
        do {
            let bench = GatewayBench(stores: stores)
            let session = try bench.session()
            let exchange = session.openExchangeStream(answering: [try bench.call("t", id: "\"r\"")]) { _ in }
            exchange.append(ByteBuffer(string: #"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#))
            bench.settle()
            (id, stream) = (session.id, exchange.id)
            // The process dies here: nothing more is written.
            session.state.withLockedValue { $0.streams.removeAll() }
        }
        let bench = GatewayBench(stores: stores)
        let session = try #require(try bench.find(id))
        let subscriber = RecordingSubscriber()
        try #require(try bench.findStream(stream, in: session)).attach(subscriber, after: 1)
        bench.settle()
        let answer = try Message.parse(try #require(subscriber.events.first).message)
        #expect(subscriber.sequences == [2])
        #expect(subscriber.last == [2])
        #expect(answer.kind == .errorResponse)
        #expect(answer.json.string(answer.id) == "r")
        let again = RecordingSubscriber()
        try #require(try bench.findStream(stream, in: session)).attach(again, after: 0)
        bench.settle()
        #expect(again.sequences == [1, 2])
        #expect(again.last == [2])
    }

    @Test("Of a batch only the requests without an answer get the error")
    func lostBatch() throws {
        let stores = MemoryStores()
        let (id, stream): (SessionID, StreamID)
        do {
            let bench = GatewayBench(stores: stores)
            let session = try bench.session()
            let exchange = session.openExchangeStream(answering: try ["1", "\"1\"", "2"].map { try bench.call("t", id: $0) }) { _ in }
            exchange.append(ByteBuffer(string: #"{"jsonrpc":"2.0","id":"1","result":{}}"#))
            bench.settle()
            (id, stream) = (session.id, exchange.id)
            session.state.withLockedValue { $0.streams.removeAll() }
        }
        let bench = GatewayBench(stores: stores)
        let session = try #require(try bench.find(id))
        let subscriber = RecordingSubscriber()
        try #require(try bench.findStream(stream, in: session)).attach(subscriber, after: 0)
        bench.settle()
        #expect(
            subscriber.events.compactMap { (try? Message.parse($0.message))?.idBytes.map { String(buffer: $0) } } == ["\"1\"", "1", "2"])
        #expect(subscriber.last == [3])
    }

    @Test("What a session was sent while it did not listen is there after a restart, for the first GET")
    func waitingMessages() throws {
        let stores = MemoryStores()
        let id: SessionID
        do {
            let bench = GatewayBench(stores: stores)
            let session = try bench.session()
            session.sendUnsolicited(ByteBuffer(string: "one"))
            session.sendUnsolicited(ByteBuffer(string: "two"))
            bench.settle()
            id = session.id
            session.state.withLockedValue { $0.listening.removeAll() }
        }
        let bench = GatewayBench(stores: stores)
        let session = try #require(try bench.find(id))
        let subscriber = try bench.listen(session)
        session.sendUnsolicited(ByteBuffer(string: "three"))
        bench.settle()
        #expect(subscriber.texts == ["one", "two", "three"])
    }

    @Test("A stream that does not exist, or is another session's, is not found")
    func foreignStream() throws {
        let bench = GatewayBench()
        let (owner, other) = (try bench.session(), try bench.session())
        _ = try bench.listen(owner)
        let stream = try #require(owner.state.withLockedValue({ $0.listening.first }))
        #expect(try bench.findStream(stream.id, in: owner) === stream)
        #expect(try bench.findStream(stream.id, in: other) == nil)
        #expect(try bench.findStream(StreamID("lnothing"), in: owner) == nil)
    }

    @Test("A session has no more connected listening streams than the bound; a disconnected one makes room")
    func listeningBound() throws {
        let bench = GatewayBench { $0.maxListeningStreams = 2 }
        let session = try bench.session()
        let first = try bench.listen(session)
        let second = try bench.listen(session)
        #expect(session.connectedStreams == 2)
        #expect(session.openListeningStream { _ in } == nil)
        session.sendUnsolicited(ByteBuffer(string: "m"))
        bench.settle()
        #expect(first.events.count + second.events.count == 1)
        session.state.withLockedValue { $0.listening[0] }.detach(first)
        #expect(session.openListeningStream { _ in } != nil)
        bench.settle()
    }

    @Test("Streams that left memory and are asked for again count against the bound, and take no more memory than it")
    func revivedListeningBound() throws {
        let bench = GatewayBench { $0.maxListeningStreams = 2 }
        let session = try bench.session()
        let ids = try (0..<4).map { _ in
            let subscriber = try bench.listen(session)
            let stream = try #require(session.state.withLockedValue { $0.listening.last })
            stream.detach(subscriber)
            return stream.id
        }
        for (number, id) in ids.enumerated() {
            let stream = try #require(try bench.findStream(id, in: session))
            #expect(session.mayListen(to: stream) == (number < 2))
            if number < 2 { stream.attach(RecordingSubscriber(), after: 0) }
            bench.settle()
            #expect(session.state.withLockedValue { $0.listening.count } == 2)
        }
        #expect(session.connectedStreams == 2)
    }

    @Test("A place that is taken counts as a connection, holds no event back and is given back")
    func places() throws {
        let bench = GatewayBench { $0.maxListeningStreams = 1 }
        let session = try bench.session()
        let subscriber = RecordingSubscriber()
        let (stream, after) = try #require(session.openListeningStream { _ in })
        #expect(stream.takePlace(for: subscriber))
        #expect(!stream.takePlace(for: RecordingSubscriber(), limit: 1))
        #expect(session.openListeningStream { _ in } == nil)
        session.sendUnsolicited(ByteBuffer(string: "m"))
        bench.settle()
        #expect(subscriber.events.isEmpty)
        stream.attach(subscriber, after: after)
        bench.settle()
        #expect(subscriber.events.map(\.message) == [ByteBuffer(string: "m")])
        #expect(session.connectedStreams == 1)
        stream.detach(subscriber)
        #expect(!stream.isConnected)
    }

    @Test("Draining waits for open exchanges and no longer than its limit")
    func drain() async throws {
        let stores = MemoryStores()
        let loop = NIOAsyncTestingEventLoop()
        let gateway = Gateway(
            settings: CoreSettings(), sessions: stores, events: stores, authority: SessionIDAuthority(key: GatewayBench.key),
            clock: GatewayClock { WallTime(milliseconds: 0) }, builtins: [], eventLoopGroup: loop, logger: silentLogger)
        // Nothing is open.
        await gateway.drain(within: .hours(1))
        #expect(gateway.isDraining)
        gateway.exchangeBegan()
        gateway.exchangeBegan()
        // The limit passes with both open.
        let isOver = NIOLockedValueBox(false)
        async let limited: Void = {
            await gateway.drain(within: .seconds(5))
            isOver.withLockedValue { $0 = true }
        }()
        for _ in 0..<10_000 where !isOver.withLockedValue({ $0 }) { await loop.advanceTime(by: .seconds(5)) }
        await limited
        #expect(gateway.openExchangeCount == 2)
        async let drained: Void = gateway.drain(within: .hours(1))
        gateway.exchangeEnded()
        gateway.exchangeEnded()
        await drained
        #expect(gateway.openExchangeCount == 0)
        await gateway.shutdown()
        await loop.shutdownGracefully()
    }
}
