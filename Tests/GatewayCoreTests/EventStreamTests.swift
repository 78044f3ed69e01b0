import NIOCore
import Testing

@testable import GatewayCore

@Suite struct EventStreamTests {
    @Test("An event reaches the subscriber when the log has it, not before")
    func writeBeforeSend() {
        let bench = StreamBench()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.append(1...3)
        #expect(subscriber.events.isEmpty)
        bench.stores.run(1)
        #expect(subscriber.sequences == [1])
        bench.stores.run()
        #expect(subscriber.texts == ["m1", "m2", "m3"])
        #expect(bench.stores.stream(bench.stream.id, of: bench.session)?.events == subscriber.events)
    }

    @Test("What was appended while nobody listened is replayed, then the stream is live")
    func replayThenLive() {
        let bench = StreamBench()
        bench.append(1...3)
        bench.stores.run()
        #expect(bench.stream.hasUndelivered)
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.stores.run()
        bench.append(4...5)
        bench.stores.run()
        #expect(subscriber.sequences == [1, 2, 3, 4, 5])
        #expect(!bench.stream.hasUndelivered)
        #expect(bench.stream.deliveredSequence == 5)
    }

    @Test("A replay begins after the position that the subscriber names")
    func replayAfter() {
        let bench = StreamBench()
        bench.append(1...5)
        bench.stores.run()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 3)
        bench.stores.run()
        #expect(subscriber.sequences == [4, 5])
        let upToDate = RecordingSubscriber()
        bench.stream.attach(upToDate, after: 5)
        bench.stores.run()
        #expect(upToDate.events.isEmpty)
        bench.append(6...6)
        bench.stores.run()
        #expect(upToDate.sequences == [6])
    }

    @Test("However appends and the replay fall together, each event comes once and in order", arguments: 0...12)
    func interleavings(_ steps: Int) {
        // Appends before the attach that are not durable, `steps` calls of the log, then appends during the replay.
        for durable in 0...4 {
            let bench = StreamBench()
            bench.append(1...4)
            bench.stores.run(durable)
            let subscriber = RecordingSubscriber()
            bench.stream.attach(subscriber, after: 0)
            bench.append(5...6)
            bench.stores.run(steps)
            bench.append(7...8)
            bench.stores.run()
            #expect(subscriber.sequences == Array(1...8), "durable \(durable), steps \(steps)")
        }
    }

    @Test("A long replay is read in batches, with live events after it")
    func batches() {
        for count in [EventStream.replayBatch - 1, EventStream.replayBatch, EventStream.replayBatch + 1, 3 * EventStream.replayBatch] {
            let bench = StreamBench()
            bench.append(1...count)
            bench.stores.run()
            let subscriber = RecordingSubscriber()
            bench.stream.attach(subscriber, after: 0)
            bench.append((count + 1)...(count + 1))
            bench.stores.run(1)
            bench.append((count + 2)...(count + 2))
            bench.stores.run()
            #expect(subscriber.sequences == (1...count + 2).map(UInt64.init))
        }
    }

    @Test("A second subscriber takes the stream over; the first is told and gets no more")
    func takeover() {
        let bench = StreamBench()
        let first = RecordingSubscriber()
        bench.stream.attach(first, after: 0)
        bench.append(1...2)
        bench.stores.run()
        bench.append(3...3)
        let second = RecordingSubscriber()
        bench.stream.attach(second, after: 1)
        #expect(first.detached == 1)
        bench.append(4...4)
        bench.stores.run()
        #expect(first.sequences == [1, 2])
        #expect(second.sequences == [2, 3, 4])
        bench.stream.detach(first)
        #expect(bench.stream.isConnected)
        bench.append(5...5)
        bench.stores.run()
        #expect(second.sequences == [2, 3, 4, 5])
        #expect(second.detached == 0)
    }

    @Test("A takeover during a replay leaves one subscriber, with everything")
    func takeoverDuringReplay() {
        let bench = StreamBench()
        bench.append(1...600)
        bench.stores.run()
        let first = RecordingSubscriber()
        bench.stream.attach(first, after: 0)
        bench.stores.run(1)
        let second = RecordingSubscriber()
        bench.stream.attach(second, after: 10)
        bench.stores.run()
        #expect(first.sequences == (1...EventStream.replayBatch).map(UInt64.init))
        #expect(first.detached == 1)
        #expect(second.sequences == (11...600).map(UInt64.init))
    }

    @Test("After a detach events go to the log only, and are there for the next subscriber")
    func detach() {
        let bench = StreamBench()
        let first = RecordingSubscriber()
        bench.stream.attach(first, after: 0)
        bench.append(1...1)
        bench.stores.run()
        bench.stream.detach(first)
        #expect(!bench.stream.isConnected)
        bench.append(2...3)
        bench.stores.run()
        #expect(first.sequences == [1])
        #expect(bench.stream.hasUndelivered)
        let second = RecordingSubscriber()
        bench.stream.attach(second, after: bench.stream.deliveredSequence)
        bench.stores.run()
        #expect(second.sequences == [2, 3])
    }

    @Test("The event that ends a stream is the last; nothing comes after it")
    func ends() {
        let bench = StreamBench()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.append(1...1)
        bench.stream.append(ByteBuffer(string: "bye"), ends: true)
        bench.append(3...3)
        bench.stores.run()
        #expect(subscriber.texts == ["m1", "bye"])
        #expect(subscriber.last == [2])
        #expect(subscriber.ended == 0)
        #expect(!bench.stream.isConnected)
        #expect(bench.stores.stream(bench.stream.id, of: bench.session)?.record.hasEnded == true)
    }

    @Test("A stream that has ended is replayed to its last event")
    func replayEnded() {
        let bench = StreamBench()
        bench.append(1...2)
        bench.stream.append(ByteBuffer(string: "bye"), ends: true)
        bench.stores.run()
        let late = RecordingSubscriber()
        bench.stream.attach(late, after: 1)
        bench.stores.run()
        #expect(late.sequences == [2, 3])
        #expect(late.last == [3])
        let done = RecordingSubscriber()
        bench.stream.attach(done, after: 3)
        bench.stores.run()
        #expect(done.events.isEmpty)
        #expect(done.ended == 1)
        #expect(!bench.stream.isConnected)
    }

    @Test("Ending without an event tells the subscriber once")
    func endWithoutEvent() {
        let bench = StreamBench()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.append(1...1)
        bench.stores.run()
        bench.stream.end()
        bench.stream.end()
        bench.append(2...2)
        bench.stores.run()
        #expect(subscriber.sequences == [1])
        #expect(subscriber.ended == 1)
        #expect(bench.stores.stream(bench.stream.id, of: bench.session)?.record.hasEnded == true)
    }

    @Test("What was appended before the end is delivered before it")
    func endAfterPendingAppend() {
        let bench = StreamBench()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.append(1...1)
        bench.stream.end()
        bench.stores.run()
        #expect(subscriber.sequences == [1])
    }

    @Test("Who attaches to an empty stream that has ended is told so")
    func attachAfterEnd() {
        let bench = StreamBench()
        bench.stream.end()
        bench.stores.run()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.stores.run()
        #expect(subscriber.ended == 1)
    }

    @Test("A position beyond the newest event is refused and changes nothing")
    func futurePosition() {
        let bench = StreamBench()
        let subscriber = RecordingSubscriber()
        bench.stream.attach(subscriber, after: 0)
        bench.append(1...2)
        // What is not in the log yet was given to nobody.
        #expect(!bench.stream.attach(RecordingSubscriber(), after: 1))
        bench.stores.run()
        let liar = RecordingSubscriber()
        for position in [3, 4, UInt64.max] { #expect(!bench.stream.attach(liar, after: position)) }
        bench.append(3...3)
        bench.stores.run()
        #expect(subscriber.sequences == [1, 2, 3])
        #expect(subscriber.detached == 0)
        #expect(liar.events.isEmpty)
        #expect(bench.stream.newestSequence == 3)
        #expect(bench.stream.attach(liar, after: 3))
    }

    @Test("A subscriber whose replay fails is detached, and the next one is served")
    func replayFails() {
        let bench = StreamBench()
        bench.append(1...1)
        bench.stores.run()
        bench.stores.failure = "unreadable"
        let first = RecordingSubscriber()
        bench.stream.attach(first, after: 0)
        bench.stores.run()
        #expect(first.detached == 1)
        #expect(first.events.isEmpty)
        #expect(!bench.stream.isConnected)
        bench.stores.failure = nil
        let second = RecordingSubscriber()
        bench.stream.attach(second, after: 0)
        bench.stores.run()
        #expect(second.sequences == [1])
    }
}
