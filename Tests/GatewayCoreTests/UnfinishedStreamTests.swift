import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import GatewayCore

/// Streams that a process left unfinished when it ended, and what comes of their requests.
@Suite("An unfinished stream") struct UnfinishedStreamTests {
    /// A server with a tool of each kind.
    private static func server() -> ScriptedServer {
        ScriptedServer(
            "s",
            lists: [
                .tools:
                    #"{"name":"read","annotations":{"readOnlyHint":true}},{"name":"put","annotations":{"idempotentHint":true}},{"name":"add"}"#
            ])
    }

    /// Sessions that a first gateway left, with one stream each; what the first gateway's process told before it ended is in the log.
    private struct Left {
        let stores = MemoryStores()
        let session: SessionID
        let stream: StreamID

        init(calls: [(tool: String, id: String)], told: [String] = [], meta: String = "") throws {
            let bench = GatewayBench([UnfinishedStreamTests.server()], stores: stores)
            let session = try bench.session()
            let stream = session.openExchangeStream(
                answering: try calls.map { try bench.call($0.tool, id: $0.id, meta: meta) }, opened: { _ in })
            for message in told { stream.append(ByteBuffer(string: message)) }
            bench.settle()
            (self.session, self.stream) = (session.id, stream.id)
            // The process dies here: nothing more is written.
            session.state.withLockedValue { $0.streams.removeAll() }
        }

        func record() -> StreamRecord? { stores.stream(stream, of: session)?.record }
    }

    private static func progress(_ value: Int) -> String {
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":\#(value)}}"#
    }

    /// Its client comes back for what is behind the event.
    private static func resume(_ left: Left, at bench: GatewayBench, after position: UInt64) throws -> RecordingSubscriber {
        let session = try #require(try bench.find(left.session))
        let subscriber = RecordingSubscriber()
        try #require(try bench.findStream(left.stream, in: session)).attach(subscriber, after: position)
        bench.settle()
        return subscriber
    }

    /// A process begins a call, which is in progress then.
    private func begun(_ tool: String, id: String = "1", in session: Session, at bench: GatewayBench) throws
        -> (stream: EventStream, subscriber: RecordingSubscriber)
    {
        let call = try bench.call(tool, id: id)
        let stream = session.openExchangeStream(answering: [call]) { _ in }
        let subscriber = RecordingSubscriber()
        stream.attach(subscriber, after: 0)
        bench.gateway.handle(call, in: session, sink: RepeatedExchanges(stream: stream, session: session, count: 1, floors: [:]))
        bench.settle()
        return (stream, subscriber)
    }

    @Test("keeps those requests that may be worked on twice, whole")
    func kept() throws {
        let left = try Left(calls: [("s__read", "1"), ("s__add", "2"), ("s__put", "3")])
        let kept = try #require(left.record()?.repeatableRequests)
        let messages = try ByteBuffer.jsonElements(of: kept).map { try Message.parse($0) }
        #expect(messages.map(\.idBytes) == [ByteBuffer(string: "1"), ByteBuffer(string: "3")])
        #expect(try Left(calls: [("s__add", "1")]).record()?.repeatableRequests == nil)
        let large = String(repeating: "x", count: Gateway.maxRepeatableBytes)
        #expect(try Left(calls: [("s__read", "1")], meta: "\"x\":\"\(large)\"").record()?.repeatableRequests == nil)
    }

    @Test("is gone on with once, however many resume it: a request that may be worked on twice gets its answer behind what was there")
    func repeated() throws {
        let left = try Left(
            calls: [("s__read", "\"r\"")], told: (1...3).map(Self.progress), meta: #""progressToken":"t""#)
        let server = Self.server()
        let bench = GatewayBench([server], stores: left.stores)
        let session = try #require(try bench.find(left.session))
        let (first, second) = (RecordingSubscriber(), RecordingSubscriber())
        try #require(try bench.findStream(left.stream, in: session)).attach(first, after: 3)
        bench.settle()
        let calls = server.link.messages(of: .toolsCall)
        #expect(calls.count == 1)
        let call = try #require(calls.first)
        // What the client has heard already is not told again; what is new is.
        for value in [2, 3, 4] { server.link.progress(on: call, value) }
        bench.settle()
        try #require(try bench.findStream(left.stream, in: session)).attach(second, after: 2)
        bench.settle()
        server.link.answer(call, result: #"{"content":[]}"#)
        bench.settle()
        #expect(server.link.messages(of: .toolsCall).count == 1)
        #expect(first.detached == 1)
        #expect(second.sequences == [3, 4, 5])
        #expect(second.texts[1] == Self.progress(4))
        #expect(second.last == [5])
        let answer = try Message.parse(try #require(second.events.last).message)
        #expect(answer.kind == .response && answer.json.string(answer.id) == "r")
        #expect(left.record()?.hasEnded == true)
        #expect(left.record()?.repeatableRequests == nil)
        // From then on it is a stream like any other.
        let late = RecordingSubscriber()
        try #require(try bench.findStream(left.stream, in: session)).attach(late, after: 0)
        bench.settle()
        #expect(late.sequences == [1, 2, 3, 4, 5])
        #expect(server.link.messages(of: .toolsCall).count == 1)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("gets an error for a request that must not be worked on twice")
    func notRepeated() throws {
        let left = try Left(calls: [("s__add", "1")], told: [Self.progress(1)])
        let server = Self.server()
        let bench = GatewayBench([server], stores: left.stores)
        let subscriber = try Self.resume(left, at: bench, after: 1)
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        #expect(subscriber.sequences == [2] && subscriber.last == [2])
        #expect(subscriber.texts[0].contains("outcome of this request is unknown"))
    }

    @Test("of a batch: answers stay, what may be worked on twice is, the rest gets an error, and the last answer ends it")
    func batch() throws {
        let left = try Left(
            calls: [("s__read", "1"), ("s__add", "2"), ("s__put", "3"), ("s__read", "4")],
            told: [#"{"jsonrpc":"2.0","id":4,"result":{}}"#])
        let server = Self.server()
        let bench = GatewayBench([server], stores: left.stores)
        let subscriber = try Self.resume(left, at: bench, after: 0)
        let calls = server.link.messages(of: .toolsCall)
        #expect(calls.count == 2)
        for call in calls.reversed() { server.link.answer(call, result: "{}") }
        bench.settle()
        let ids = subscriber.events.compactMap { (try? Message.parse($0.message))?.idBytes.map { String(buffer: $0) } }
        #expect(ids == ["4", "2", "3", "1"])
        #expect(subscriber.sequences == [1, 2, 3, 4] && subscriber.last == [4])
    }

    @Test("is left to the session's next home where that may work on it again; other requests get an error")
    func left() throws {
        let bench = GatewayBench([Self.server()])
        let session = try bench.session()
        let (read, add) = (try begun("s__read", id: "1", in: session, at: bench), try begun("s__add", id: "2", in: session, at: bench))
        bench.gateway.abandon(session)
        bench.settle()
        #expect(read.subscriber.events.isEmpty && read.subscriber.detached == 1)
        #expect(add.subscriber.last == [1])
        #expect(add.subscriber.texts.first?.contains("lost its session to another one") == true)
        let records = bench.stores.allStreams(of: session.id).map(\.record)
        #expect(records.first { $0.stream == read.stream.id }?.hasEnded == false)
        #expect(records.first { $0.stream == add.stream.id }?.hasEnded == true)
        #expect(bench.gateway.openExchangeCount == 0)
    }

    @Test("ends in an error, also for a request that may be worked on twice, where the log does not have all of it")
    func notLogged() throws {
        let bench = GatewayBench([Self.server()])
        let session = try bench.session()
        let (stream, subscriber) = try begun("s__read", in: session, at: bench)
        bench.stores.failure = "Redis is away"
        stream.append(ByteBuffer(string: Self.progress(1)))
        bench.settle()
        // The error goes out before the connection closes, though the log refuses it.
        bench.gateway.abandon(session)
        bench.settle()
        #expect(subscriber.events.map(\.isLogged) == [false, false])
        #expect(subscriber.texts.last?.contains("lost its session to another one") == true)
        #expect(subscriber.last == [2])
        bench.stores.failure = nil
    }

    @Test("is not gone on with when it was begun again as often as may be: what was begun may be what ends the processes")
    func tooOften() throws {
        let left = try Left(calls: [("s__read", "1"), ("s__add", "2")])
        for round in 1...2 {
            left.stores.failure = nil
            let server = Self.server()
            let bench = GatewayBench([server], stores: left.stores)
            _ = try Self.resume(left, at: bench, after: 0)
            #expect(server.link.messages(of: .toolsCall).count == 1)
            #expect(left.record()?.repetitions == round)
            // The process ends, and writes nothing more.
            left.stores.failure = "gone"
        }
        left.stores.failure = nil
        let server = Self.server()
        let hits = LimitHits.total(.maxRepetitions)
        let subscriber = try Self.resume(left, at: GatewayBench([server], stores: left.stores), after: 1)
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        #expect(subscriber.texts.count == 1 && subscriber.texts[0].contains("outcome of this request is unknown"))
        #expect(subscriber.last == [2])
        #expect(left.record()?.hasEnded == true)
        #expect(LimitHits.total(.maxRepetitions) > hits)
    }

    @Test("is gone on with as often as the configuration says, or never", arguments: [0, 1])
    func bound(_ bound: Int) throws {
        let left = try Left(calls: [("s__read", "1")])
        for round in 0...bound {
            left.stores.failure = nil
            let server = Self.server()
            let bench = GatewayBench([server], stores: left.stores) { $0.maxRepetitions = bound }
            let subscriber = try Self.resume(left, at: bench, after: 0)
            #expect(server.link.messages(of: .toolsCall).count == (round < bound ? 1 : 0))
            #expect(subscriber.last == (round < bound ? [] : [1]))
            left.stores.failure = "gone"
        }
    }

    @Test("is gone on with only when that is counted: while the store is away it is tried again, and ends where the store refuses")
    func uncounted() throws {
        let left = try Left(calls: [("s__read", "1")])
        let server = Self.server()
        let bench = GatewayBench([server], stores: left.stores)
        left.stores.repetitionFailure = StoreError(operation: "count", reason: "away", kind: .unavailable)
        let early = try Self.resume(left, at: bench, after: 0)
        #expect(early.events.isEmpty && early.detached == 1, "its client comes back")
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        left.stores.repetitionFailure = StoreError(operation: "count", reason: "the disk is full")
        let refused = try Self.resume(left, at: bench, after: 0)
        #expect(refused.texts.first?.contains("outcome of this request is unknown") == true)
        #expect(refused.last == [1])
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        left.stores.repetitionFailure = nil
    }

    @Test("is left to the next process when the time to drain is over, and that does not count as a repetition")
    func drained() throws {
        let stores = MemoryStores()
        let first = GatewayBench([Self.server()], stores: stores)
        let session = try first.session()
        let (stream, subscriber) = try begun("s__read", in: session, at: first)
        first.gateway.beginDraining()
        first.gateway.abandonExchanges()
        first.settle()
        #expect(subscriber.events.isEmpty && subscriber.detached == 1)
        #expect(first.gateway.openExchangeCount == 0)
        for _ in 1...4 {
            let server = Self.server()
            let next = GatewayBench([server], stores: stores)
            let again = RecordingSubscriber()
            let restored = try #require(try next.find(session.id))
            try #require(try next.findStream(stream.id, in: restored)).attach(again, after: 0)
            next.settle()
            #expect(server.link.messages(of: .toolsCall).count == 1)
            #expect(stores.stream(stream.id, of: session.id)?.record.repetitions == 1)
            next.gateway.beginDraining()
            next.gateway.abandonExchanges()
            next.settle()
            #expect(again.events.isEmpty && again.detached == 1)
            #expect(stores.stream(stream.id, of: session.id)?.record.repetitions == 0)
        }
        #expect(stores.stream(stream.id, of: session.id)?.record.hasEnded == false)
    }

    @Test(
        "ends in an error when the time to drain is over, where it must not be worked on twice or no process finds it",
        arguments: [true, false])
    func drainedForGood(isRepeatable: Bool) throws {
        let bench = GatewayBench([Self.server()])
        bench.stores.outlivesProcess = !isRepeatable
        let session = try bench.session()
        let (stream, subscriber) = try begun(isRepeatable ? "s__read" : "s__add", in: session, at: bench)
        bench.gateway.beginDraining()
        bench.gateway.abandonExchanges()
        bench.settle()
        #expect(subscriber.last == [1])
        #expect(subscriber.texts.first?.contains("drainTimeout") == true)
        #expect(bench.stores.stream(stream.id, of: session.id)?.record.hasEnded == true)
    }

    @Test("is not gone on with by an instance that gives its sessions to others: the next home does")
    func leaving() throws {
        let left = try Left(calls: [("s__read", "1"), ("s__add", "2")])
        let (server, cluster) = (Self.server(), ScriptedCluster())
        let bench = GatewayBench([server], stores: left.stores, cluster: cluster.services)
        cluster.peers = [ScriptedCluster.instance("other")]
        let record = try #require(left.stores.record(left.session))
        cluster.answersClaims { _ in .success(.mine(record, wasMine: false)) }
        bench.gateway.locate(left.session) { _ in }
        bench.settle()
        let session = try #require(bench.gateway.registry[left.session])
        bench.gateway.beginDraining()
        let subscriber = RecordingSubscriber()
        try #require(try bench.findStream(left.stream, in: session)).attach(subscriber, after: 0)
        bench.settle()
        #expect(server.link.messages(of: .toolsCall).isEmpty)
        #expect(subscriber.events.isEmpty && subscriber.detached == 0)
        #expect(session.isQuiet, "it is given away at once")
        bench.gateway.abandon(session)
        bench.settle()
        #expect(subscriber.events.isEmpty && subscriber.detached == 1)
        #expect(left.record()?.repetitions == 0 && left.record()?.hasEnded == false)
        let next = Self.server()
        _ = try Self.resume(left, at: GatewayBench([next], stores: left.stores), after: 0)
        #expect(next.link.messages(of: .toolsCall).count == 1)
    }

    @Test("is gone on with a third time when the second process ends too")
    func again() throws {
        let left = try Left(calls: [("s__read", "1")])
        for round in 1...2 {
            left.stores.failure = nil
            let server = Self.server()
            let bench = GatewayBench([server], stores: left.stores)
            let session = try #require(try bench.find(left.session))
            let subscriber = RecordingSubscriber()
            try #require(try bench.findStream(left.stream, in: session)).attach(subscriber, after: 0)
            bench.settle()
            let call = try #require(server.link.messages(of: .toolsCall).first)
            guard round == 2 else {
                // This process dies as well, and writes nothing more.
                left.stores.failure = "gone"
                continue
            }
            server.link.answer(call, result: "{}")
            bench.settle()
            #expect(subscriber.last == [1])
        }
    }
}

extension ScriptedLink {
    /// The server tells how far a call is.
    fileprivate func progress(on call: Message, _ value: Int) {
        let token = call.json.slice(call.routing.progressToken).map { String(buffer: $0) } ?? "null"
        receive(#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(token),"progress":\#(value)}}"#)
    }
}
