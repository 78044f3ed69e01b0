import MCPProtocol
import NIOCore
import Testing

@testable import GatewayCore

@Suite("A stream whose log refuses events")
struct LostEventTests {
    private func refuse(_ bench: StreamBench, _ numbers: ClosedRange<Int>) {
        bench.stores.failure = "disk full"
        bench.append(numbers)
        bench.stores.run()
        bench.stores.failure = nil
    }

    private func attach(_ bench: StreamBench, after: UInt64) -> RecordingSubscriber {
        let subscriber = RecordingSubscriber()
        #expect(bench.stream.attach(subscriber, after: after))
        bench.stores.run()
        return subscriber
    }

    @Test("goes on live, without ids for what is not logged, and logs again as soon as it can")
    func heals() {
        let bench = StreamBench()
        let subscriber = attach(bench, after: 0)
        bench.append(1...1)
        bench.stores.run()
        refuse(bench, 2...3)
        bench.append(4...5)
        bench.stores.run()
        #expect(subscriber.texts == ["m1", "m2", "m3", "m4", "m5"])
        #expect(subscriber.events.map(\.isLogged) == [true, false, false, true, true])
        #expect(bench.stores.stream(bench.stream.id, of: bench.session)?.events.map(\.sequence) == [1, 4, 5])
        #expect(bench.stream.newestSequence == 5)
    }

    @Test("tells who resumes over the gap that events are missing, in their place and once, and gives the rest")
    func tells() throws {
        let bench = StreamBench()
        bench.append(1...1)
        bench.stores.run()
        refuse(bench, 2...3)
        bench.append(4...4)
        bench.stores.run()
        refuse(bench, 5...5)
        bench.append(6...6)
        bench.stores.run()
        let resumed = attach(bench, after: 0)
        #expect(resumed.texts.count == 5)
        #expect([0, 2, 4].map { resumed.texts[$0] } == ["m1", "m4", "m6"])
        let notice = try Message.parse(resumed.events[1].message)
        #expect(notice.methodName == .loggingMessage)
        #expect(notice.json.string(notice.param("level")) == "error")
        #expect(notice.json.string(notice.param("data"))?.hasPrefix("events 2 to 3 of this stream cannot be sent again") == true)
        #expect(resumed.texts[3].contains("event 5 of this stream"))
        #expect(resumed.events.map(\.isLogged) == [true, false, true, false, true])
        // Who resumes behind it is not concerned.
        #expect(attach(bench, after: 4).texts.count == 2)
        #expect(attach(bench, after: 6).texts.isEmpty)
    }

    @Test("tells of events that are missing at its end, and goes on live after them")
    func tellsAtTheEnd() {
        let bench = StreamBench()
        bench.append(1...1)
        bench.stores.run()
        refuse(bench, 2...2)
        let resumed = attach(bench, after: 1)
        #expect(resumed.texts.count == 1)
        #expect(resumed.texts[0].contains("event 2 of this stream"))
        bench.append(3...3)
        bench.stores.run()
        #expect(resumed.texts.last == "m3")
        #expect(resumed.events.count == 2)
    }

    @Test("tells of events that the log dropped because of its bounds", arguments: [1, 40])
    func dropped(kept: Int) {
        let bench = StreamBench()
        bench.append(1...50)
        bench.stores.run()
        bench.stores.dropOldest(50 - kept, of: bench.stream.id, session: bench.session)
        let resumed = attach(bench, after: 0)
        #expect(resumed.events.count == kept + 1)
        #expect(resumed.events.first?.isLogged == false)
        #expect(resumed.texts.last == "m50")
        #expect(attach(bench, after: UInt64(50 - kept)).events.count == kept)
    }

    @Test("gives its end to who is connected, and to who was still catching up")
    func lastEvent() {
        let bench = StreamBench()
        bench.append(1...3)
        bench.stores.run()
        let late = RecordingSubscriber()
        bench.stream.attach(late, after: 1)
        // The read is performed before the append fails.
        bench.stream.append(ByteBuffer(string: "bye"), ends: true)
        bench.stores.run(1)
        bench.stores.failure = "disk full"
        bench.stores.run()
        bench.stores.failure = nil
        #expect(late.texts == ["m2", "m3", "bye"])
        #expect(late.last == [4])
        #expect(!bench.stream.isConnected)
        #expect(bench.stores.stream(bench.stream.id, of: bench.session)?.record.hasEnded == false)
        // Read after the append failed: while the stream is in memory nothing is lost.
        let later = attach(bench, after: 2)
        #expect(later.texts == ["m3", "bye"])
        #expect(later.last == [4])
        #expect(!bench.stream.isConnected)
    }

    @Test("is opened by a later event when it could not be opened")
    func opensLater() {
        let stores = MemoryStores()
        let record = StreamRecord(
            session: SessionIDAuthority(key: Array(repeating: 1, count: 32)).make(random: 1), stream: StreamID("labc"), kind: .listening,
            requestIDs: nil, createdAt: WallTime(milliseconds: 0))
        let stream = EventStream(record: record, delivered: 0, log: stores, lines: CoreLines(silentLogger))
        stores.failure = "disk full"
        stream.open()
        stream.append(ByteBuffer(string: "m1"))
        stores.run()
        // The next one tries to open it, and fails too.
        stream.append(ByteBuffer(string: "m2"))
        stores.run()
        stores.failure = nil
        stream.append(ByteBuffer(string: "m3"))
        stores.run()
        #expect(stores.stream(record.stream, of: record.session)?.events.map(\.sequence) == [3])
        let resumed = RecordingSubscriber()
        stream.attach(resumed, after: 0)
        stores.run()
        #expect(resumed.texts.count == 2)
        #expect(resumed.texts.last == "m3")
    }

    @Test("answers who resumes after its answer was lost with an error that says so")
    func lostAnswer() throws {
        let bench = GatewayBench([.tools("s", ["t"])])
        let session = try bench.session()
        let stream = session.openExchangeStream(answering: [try bench.call("t", id: "7")]) { _ in }
        bench.settle()
        stream.append(ByteBuffer(string: "progress"))
        bench.settle()
        bench.stores.failure = "disk full"
        stream.append(ByteBuffer(string: "answer"), ends: true)
        session.exchangeStreamEnded(stream)
        bench.settle()
        bench.stores.failure = nil
        let found = try #require(try bench.findStream(stream.id, in: session))
        let resumed = RecordingSubscriber()
        #expect(found.attach(resumed, after: 1))
        bench.settle()
        let answer = try Message.parse(try #require(resumed.events.last).message)
        #expect(answer.kind == .errorResponse)
        #expect(answer.idBytes == ByteBuffer(string: "7"))
        #expect(resumed.texts.last?.contains("could not store its answer") == true)
        #expect(resumed.last.count == 1)
    }
}
