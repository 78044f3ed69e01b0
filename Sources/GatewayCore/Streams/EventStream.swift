import Logging
import NIOConcurrencyHelpers
public import NIOCore

/// Takes the events of a stream: an SSE connection. Called from any thread, one call at a time, in order.
public protocol StreamSubscriber: AnyObject, Sendable {
    /// The next event. `isLast` ends the stream. Of a replay no more comes until the subscriber is drained, so no bound applies to it.
    func deliver(_ event: StreamEvent, of stream: EventStream, isLast: Bool, isReplay: Bool)
    /// Runs `body` when what was delivered is on its way to the client.
    func whenDrained(_ body: @escaping @Sendable () -> Void)
    /// The stream has ended and everything of it was delivered before.
    func streamEnded(_ stream: EventStream)
    /// Another subscriber took the stream, or it cannot be read; the connection is of no more use.
    func streamDetached(_ stream: EventStream)
}

/// One ordered, replayable sequence of events of a session.
///
/// An event goes to the log first and to the subscriber when it is durable there ("write before send"). A subscriber first gets what
/// the log holds after the position it names, then what comes: because the log completes reads and appends in the order they were
/// asked for, an append that completes before a replay is in the replay, and one that completes later is not.
public final class EventStream: Sendable {
    /// How many events a replay reads at once.
    static let replayBatch = 32

    public let id: StreamID
    public let session: SessionID
    public let kind: StreamRecord.Kind
    private let log: any EventLog
    private let logger: Logger
    private let state: NIOLockedValueBox<State>

    private struct State {
        var nextSequence: UInt64
        var subscriber: (any StreamSubscriber)?
        /// Live: the replay is done. Until then appended events reach the subscriber through the replay.
        var isLive = false
        /// Tells replays of earlier subscribers from the current one's.
        var generation: UInt64 = 0
        /// The newest event that any subscriber was given.
        var delivered: UInt64
        var hasEnded: Bool
        /// Sequence of the event that ends the stream.
        var lastSequence: UInt64?
    }

    init(record: StreamRecord, delivered: UInt64, log: any EventLog, logger: Logger) {
        id = record.stream
        session = record.session
        kind = record.kind
        self.log = log
        self.logger = logger
        state = NIOLockedValueBox(
            State(nextSequence: record.lastSequence + 1, delivered: delivered, hasEnded: record.hasEnded, lastSequence: nil))
    }

    /// Whether a subscriber is attached.
    public var isConnected: Bool { state.withLockedValue { $0.subscriber != nil } }

    /// Whether the log holds events that no subscriber was given.
    var hasUndelivered: Bool { state.withLockedValue { $0.nextSequence - 1 > $0.delivered } }

    var deliveredSequence: UInt64 { state.withLockedValue { $0.delivered } }

    /// Writes an event to the log and, when it is there, to the subscriber.
    public func append(_ message: ByteBuffer, ends: Bool = false) {
        state.withLockedValue { state in
            guard !state.hasEnded else { return }
            let event = StreamEvent(sequence: state.nextSequence, message: message)
            state.nextSequence += 1
            if ends {
                state.hasEnded = true
                state.lastSequence = event.sequence
            }
            // Enqueued under the lock, so that the log sees events in the order of their numbers.
            log.append(event, to: id, of: session, ends: ends) { result in
                if case .failure(let error) = result {
                    // The client still gets it; it only cannot be replayed.
                    self.logger.warning(
                        "event not logged; a client that reconnects will not see it again",
                        metadata: ["session": "\(self.session.shortened)", "error": "\(error)"])
                }
                self.deliverLive(event, isLast: ends)
            }
        }
    }

    private func deliverLive(_ event: StreamEvent, isLast: Bool) {
        let subscriber = state.withLockedValue { state -> (any StreamSubscriber)? in
            guard state.isLive, let subscriber = state.subscriber, event.sequence > state.delivered else { return nil }
            state.delivered = event.sequence
            if isLast { state.subscriber = nil }
            return subscriber
        }
        subscriber?.deliver(event, of: self, isLast: isLast, isReplay: false)
    }

    /// Ends the stream without an event. The subscriber hears of it after what was appended before.
    func end() {
        state.withLockedValue { state in
            guard !state.hasEnded else { return }
            state.hasEnded = true
            log.end(id, of: session)
        }
        log.read(id, of: session, after: .max, limit: 1) { _ in
            let subscriber = self.state.withLockedValue { state in
                defer { state.subscriber = nil }
                return state.subscriber
            }
            subscriber?.streamEnded(self)
        }
    }

    /// Gives the stream to `subscriber`, from the event after `after` on. An earlier subscriber is detached.
    public func attach(_ subscriber: any StreamSubscriber, after: UInt64) {
        let (previous, generation, after) = state.withLockedValue { state in
            // A position beyond the newest event would hide the events up to it.
            let after = min(after, state.nextSequence - 1)
            let previous = state.subscriber
            state.subscriber = subscriber
            state.isLive = false
            state.generation += 1
            // A stream that is new has nothing to replay.
            if state.nextSequence == 1, !state.hasEnded { state.isLive = true }
            return (previous, state.isLive ? nil : state.generation, after)
        }
        if let previous, previous !== subscriber { previous.streamDetached(self) }
        if let generation { replay(after: after, generation: generation) }
    }

    /// Takes the stream from `subscriber`; nothing is lost, the log goes on.
    public func detach(_ subscriber: any StreamSubscriber) {
        state.withLockedValue { state in
            guard state.subscriber === subscriber else { return }
            state.subscriber = nil
            state.isLive = false
        }
    }

    private func replay(after: UInt64, generation: UInt64) {
        log.read(id, of: session, after: after, limit: Self.replayBatch) { result in
            let subscriber = self.state.withLockedValue { $0.generation == generation ? $0.subscriber : nil }
            guard let subscriber else { return }
            guard case .success(let found?) = result else {
                self.detach(subscriber)
                subscriber.streamDetached(self)
                return
            }
            let isComplete = found.events.count < Self.replayBatch
            let endsHere = isComplete && found.record.hasEnded
            for (index, event) in found.events.enumerated() {
                subscriber.deliver(event, of: self, isLast: endsHere && index == found.events.count - 1, isReplay: true)
            }
            let newest = found.events.last?.sequence ?? after
            self.state.withLockedValue { state in
                guard state.generation == generation else { return }
                state.delivered = max(state.delivered, newest)
                if isComplete { state.isLive = true }
                if endsHere { state.subscriber = nil }
            }
            if endsHere, found.events.isEmpty { subscriber.streamEnded(self) }
            if !isComplete { subscriber.whenDrained { self.replay(after: newest, generation: generation) } }
        }
    }
}
