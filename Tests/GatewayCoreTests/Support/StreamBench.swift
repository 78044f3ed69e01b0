import Logging
import NIOConcurrencyHelpers
import NIOCore

@testable import GatewayCore

/// Writes down what a stream delivers.
final class RecordingSubscriber: StreamSubscriber {
    private struct State {
        var events: [StreamEvent] = []
        var last: [UInt64] = []
        var ended = 0
        var detached = 0
    }

    private let state = NIOLockedValueBox(State())

    var events: [StreamEvent] { state.withLockedValue { $0.events } }
    var sequences: [UInt64] { events.map(\.sequence) }
    var texts: [String] { events.map { String(buffer: $0.message) } }
    /// Sequences of events that were delivered as the last.
    var last: [UInt64] { state.withLockedValue { $0.last } }
    var ended: Int { state.withLockedValue { $0.ended } }
    var detached: Int { state.withLockedValue { $0.detached } }

    func deliver(_ event: StreamEvent, of stream: EventStream, isLast: Bool, isReplay: Bool) {
        state.withLockedValue { state in
            state.events.append(event)
            if isLast { state.last.append(event.sequence) }
        }
    }
    func whenDrained(_ body: @escaping @Sendable () -> Void) { body() }
    func streamEnded(_ stream: EventStream) { state.withLockedValue { $0.ended += 1 } }
    func streamDetached(_ stream: EventStream) { state.withLockedValue { $0.detached += 1 } }
}

/// A stream over a log that completes by hand.
struct StreamBench {
    let stores = MemoryStores()
    let session = SessionIDAuthority(key: Array(repeating: 1, count: 32)).make(random: 1)
    let stream: EventStream

    init() {
        let record = StreamRecord(
            session: session, stream: StreamID("labc"), kind: .listening, requestIDs: nil, createdAt: WallTime(milliseconds: 0))
        stores.open(record) { _ in }
        stores.run()
        stream = EventStream(record: record, delivered: 0, log: stores, lines: CoreLines(silentLogger))
    }

    func append(_ numbers: ClosedRange<Int>) {
        for number in numbers { stream.append(ByteBuffer(string: "m\(number)")) }
    }
}

let silentLogger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
