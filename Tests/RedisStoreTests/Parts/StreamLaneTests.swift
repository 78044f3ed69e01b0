import NIOConcurrencyHelpers
import Testing

@testable import RedisStore
@testable import StoreContracts

@Suite("Order of calls that are sent again")
struct StreamLaneTests {
    @Test("an append names the event before it, as long as that has no outcome")
    func previous() {
        var lane = StreamLane()
        lane.enter(1, sequence: 5)
        lane.enter(2, sequence: 0)
        lane.enter(3, sequence: 6)
        lane.enter(4, sequence: 8)
        #expect([1, 2, 3, 4].map { lane.previous(of: $0) } == [0, 5, 5, 6])
        #expect(lane.leave(1) == [])
        #expect(lane.previous(of: 3) == 0)
    }

    @Test("what waits is sent again, in order, when all before it are done")
    func waiting() {
        var lane = StreamLane()
        for number in 1...5 as ClosedRange<UInt64> { lane.enter(number, sequence: number) }
        #expect(lane.wait(3) == true)
        #expect(lane.wait(4) == true)
        #expect(lane.leave(2) == [])
        #expect(lane.leave(1) == [3, 4])
        // It is the first now.
        #expect(lane.wait(3) == false)
        #expect(lane.leave(3) == [])
        #expect(lane.leave(4) == [])
        #expect(lane.leave(5) == [])
        #expect(lane.isEmpty)
    }

    @Test("completions run in the order of the calls, whatever order their outcomes come in")
    func line() {
        let line = CompletionLine()
        let order = Recorder<UInt64>()
        let places = (0..<5).map { _ in line.enter() }
        for place in [places[1], places[4], places[0], places[3]] { line.finish(place) { order.add(place) } }
        #expect(order.values == [0, 1])
        // A completion may ask for more.
        line.finish(places[2]) {
            order.add(2)
            let next = line.enter()
            line.finish(next) { order.add(next) }
        }
        #expect(order.values == [0, 1, 2, 3, 4, 5])
        #expect(line.count == 0)
    }
}
