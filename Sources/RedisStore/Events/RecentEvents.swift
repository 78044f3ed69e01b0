import DequeModule
import GatewayCore
import NIOConcurrencyHelpers
import NIOCore

/// Events that Redis acknowledged a moment ago.
///
/// Redis acknowledges before its replica has an event, so a replica that becomes the master may lack the newest ones. They are kept here until
/// the connection has stood long enough since, and appended again where they are missing.
final class RecentEvents: Sendable {
    /// A stream as it ought to be.
    struct Stream: Sendable {
        var record: StreamRecord
        /// The newest event that is not kept here: that it is there is taken for granted.
        var floor: UInt64
        var events: Deque<StreamEvent> = []
    }

    private struct Entry {
        let key: StreamKey
        let sequence: UInt64
        let bytes: Int
        let at: NIODeadline
    }

    private struct State {
        var streams: [SessionID: [StreamID: Stream]] = [:]
        /// All events, oldest first.
        var entries: Deque<Entry> = []
        var bytes = 0

        mutating func removeFirst() {
            let entry = entries.removeFirst()
            bytes -= entry.bytes
            guard var stream = streams[entry.key.session]?[entry.key.stream], stream.events.first?.sequence == entry.sequence else {
                return
            }
            streams[entry.key.session]?[entry.key.stream] = nil
            stream.events.removeFirst()
            stream.floor = entry.sequence
            if !stream.events.isEmpty {
                streams[entry.key.session]?[entry.key.stream] = stream
            } else if streams[entry.key.session]?.isEmpty == true {
                streams[entry.key.session] = nil
            }
        }
    }

    private let state = NIOLockedValueBox(State())
    private let maxBytes: Int

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// - Parameter record: the stream before the event.
    func add(_ event: StreamEvent, to record: StreamRecord, ends: Bool, now: NIODeadline) {
        let bytes = event.message.readableBytes
        state.withLockedValue { state in
            var streams = state.streams.removeValue(forKey: record.session) ?? [:]
            var stream = streams.removeValue(forKey: record.stream) ?? Stream(record: record, floor: record.lastSequence)
            stream.events.append(event)
            stream.record.lastSequence = event.sequence
            if ends {
                stream.record.hasEnded = true
                stream.record.repeatableRequests = nil
            }
            streams[record.stream] = stream
            state.streams[record.session] = streams
            let key = StreamKey(session: record.session, stream: record.stream)
            state.entries.append(Entry(key: key, sequence: event.sequence, bytes: bytes, at: now))
            state.bytes += bytes
            while state.bytes > maxBytes { state.removeFirst() }
        }
    }

    /// Forgets what was acknowledged before.
    func forget(before deadline: NIODeadline) {
        state.withLockedValue { state in
            while let first = state.entries.first, first.at < deadline { state.removeFirst() }
        }
    }

    func forget(_ session: SessionID) { state.withLockedValue { $0.streams[session] = nil } }

    func streams(of session: SessionID) -> [StreamID: Stream] { state.withLockedValue { $0.streams[session] ?? [:] } }

    /// The sessions that have some.
    var sessions: [SessionID] { state.withLockedValue { Array($0.streams.keys) } }

    var bytes: Int { state.withLockedValue { $0.bytes } }
}
