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
/// A stream of an MCP client has one subscriber, the newest; a feed has as many as there are connections.
///
/// An event goes to the log first and to the subscriber when it is durable there ("write before send"). A subscriber first gets what
/// the log holds after the position it names, then what comes: because the log completes reads and appends in the order they were
/// asked for, an append that completes before a replay is in the replay, and one that completes later is not.
///
/// An event that the log refuses (full disk, full queue) goes to the subscribers that are connected, without an id, so that no client holds a
/// position that the log does not know. Later events are logged again. Whoever resumes over the place is told that events are missing
/// there (`LostEvents`), and so is whoever resumes before events that the log has dropped.
public final class EventStream: Sendable {
    /// How many events a replay reads at once.
    static let replayBatch = 32

    public let id: StreamID
    public let session: SessionID
    public let kind: StreamRecord.Kind
    private let record: StreamRecord
    private let log: any EventLog
    private let lines: CoreLines
    private let state: NIOLockedValueBox<State>

    private struct State {
        var nextSequence: UInt64
        var attachments: [Attachment] = []
        /// Numbers attachments, so that a replay knows its own.
        var nextAttachment: UInt64 = 1
        /// The newest event that any subscriber was given.
        var delivered: UInt64
        /// The newest event that is in the log.
        var logged: UInt64
        /// The newest event that the log refused; 0 when it refused none.
        var refused: UInt64 = 0
        /// The event that ends the stream, if the log refused it.
        var refusedLast: StreamEvent?
        var hasEnded: Bool
        /// The log has the stream.
        var isOpen: Bool
        /// The log does not know the stream, because it could not open it.
        var mustBeOpened = false
        /// This process works on its requests again, and the log counts it.
        var isRepetition = false
        /// It goes on elsewhere.
        var isLeft = false

        func index(of number: UInt64) -> Int? { attachments.firstIndex { $0.number == number } }
    }

    /// A subscriber and how far it is.
    private struct Attachment {
        /// 0 while it only holds a place.
        let number: UInt64
        let subscriber: any StreamSubscriber
        /// The newest event that it was given.
        var position: UInt64
        /// The replay is done. Until then appended events reach the subscriber through the replay.
        var isLive: Bool
    }

    /// - Parameter isOpen: the log has the stream already.
    init(record: StreamRecord, delivered: UInt64, isOpen: Bool = true, log: any EventLog, lines: CoreLines) {
        self.record = record
        id = record.stream
        session = record.session
        kind = record.kind
        self.log = log
        self.lines = lines
        state = NIOLockedValueBox(
            State(
                nextSequence: record.lastSequence + 1, delivered: delivered, logged: record.lastSequence, hasEnded: record.hasEnded,
                isOpen: isOpen))
    }

    /// Adds the stream to the log. If that fails, the next event tries again.
    func open(_ opened: (@Sendable (Result<Void, StoreError>) -> Void)? = nil) {
        log.open(record) { result in
            switch result {
            case .success: self.state.withLockedValue { $0.isOpen = true }
            case .failure(let error):
                self.state.withLockedValue { $0.mustBeOpened = true }
                self.lines.streamNotLogged.write(["session": "\(self.session.shortened)", "error": "\(error)"])
            }
            opened?(result)
        }
    }

    /// Whether a subscriber is attached, or is about to be.
    public var isConnected: Bool { state.withLockedValue { !$0.attachments.isEmpty } }

    /// How many subscribers are attached, or are about to be.
    var subscriberCount: Int { state.withLockedValue { $0.attachments.count } }

    /// Whether the log holds events that no subscriber was given.
    var hasUndelivered: Bool { state.withLockedValue { $0.nextSequence - 1 > $0.delivered } }

    /// The newest event; 0 when there is none.
    public var newestSequence: UInt64 { state.withLockedValue { $0.logged } }

    var deliveredSequence: UInt64 { state.withLockedValue { min($0.delivered, $0.logged) } }

    /// Whether the session's next home can go on with it: the log has all of it, and with it what may be worked on twice.
    var canBeGoneOnWith: Bool {
        record.repeatableRequests != nil && state.withLockedValue { $0.isOpen && $0.refused == 0 && !$0.hasEnded }
    }

    /// Counts in the log that the stream's requests are worked on again; to be called before they are.
    func countRepetition(_ counted: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        state.withLockedValue { $0.isRepetition = true }
        log.setRepetitions(of: id, in: session, to: record.repetitions + 1, completion: counted)
    }

    /// Takes back what ``countRepetition(_:)`` counted, if it did: the requests are left in order, and did not end the process.
    func takeBackRepetition() {
        guard state.withLockedValue({ $0.isRepetition && !$0.hasEnded }) else { return }
        // Where it fails, one is counted too much.
        log.setRepetitions(of: id, in: session, to: record.repetitions) { _ in }
    }

    /// Writes an event to the log and, when it is there, to the subscriber.
    public func append(_ message: ByteBuffer, ends: Bool = false) {
        state.withLockedValue { state in
            guard !state.hasEnded else { return }
            StreamMetrics.appended()
            let event = StreamEvent(sequence: state.nextSequence, message: message)
            state.nextSequence += 1
            if ends { state.hasEnded = true }
            // Enqueued under the lock, so that the log sees events in the order of their numbers.
            if state.mustBeOpened {
                state.mustBeOpened = false
                open()
            }
            log.append(event, to: id, of: session, ends: ends) { result in
                switch result {
                case .success: self.deliverLive(event, isLast: ends)
                case .failure(let error): self.wasRefused(event, isLast: ends, error)
                }
            }
        }
    }

    private func wasRefused(_ event: StreamEvent, isLast: Bool, _ error: StoreError) {
        var event = event
        event.isLogged = false
        let isFirst = state.withLockedValue { state in
            defer { state.refused = event.sequence }
            if isLast { state.refusedLast = event }
            return state.refused <= state.logged
        }
        if isFirst {
            lines.eventsNotLogged.write(["session": "\(session.shortened)", "stream": "\(id)", "error": "\(error)"])
        }
        deliverLive(event, isLast: isLast)
    }

    private func deliverLive(_ event: StreamEvent, isLast: Bool) {
        let (first, others) = state.withLockedValue { state -> ((any StreamSubscriber)?, [any StreamSubscriber]) in
            if event.isLogged { state.logged = event.sequence }
            var first: (any StreamSubscriber)?
            var others: [any StreamSubscriber] = []
            for index in state.attachments.indices where state.attachments[index].isLive {
                guard event.sequence > state.attachments[index].position else { continue }
                state.attachments[index].position = event.sequence
                // Nearly always there is one: no array for it.
                if first == nil {
                    first = state.attachments[index].subscriber
                } else {
                    others.append(state.attachments[index].subscriber)
                }
            }
            if first != nil { state.delivered = max(state.delivered, event.sequence) }
            if isLast { state.attachments.removeAll { $0.isLive } }
            return (first, others)
        }
        first?.deliver(event, of: self, isLast: isLast, isReplay: false)
        for subscriber in others { subscriber.deliver(event, of: self, isLast: isLast, isReplay: false) }
    }

    /// Ends the stream without an event. The subscribers hear of it after what was appended before.
    func end() {
        state.withLockedValue { state in
            guard !state.hasEnded else { return }
            state.hasEnded = true
            log.end(id, of: session)
        }
        log.read(id, of: session, after: .max, limit: 1) { _ in
            let attachments = self.state.withLockedValue { state in
                // Who holds a place hears of it when it is attached.
                defer { state.attachments.removeAll { $0.number > 0 } }
                return state.attachments.filter { $0.number > 0 }
            }
            for attachment in attachments { attachment.subscriber.streamEnded(self) }
        }
    }

    /// Detaches every subscriber, whose clients connect again, and writes nothing more: the stream goes on elsewhere.
    func leave() {
        let attachments = state.withLockedValue { state in
            state.hasEnded = true
            state.isLeft = true
            defer { state.attachments.removeAll() }
            return state.attachments
        }
        for attachment in attachments { attachment.subscriber.streamDetached(self) }
    }

    /// Takes a place for a subscriber that will be attached, so that others see it as connected; ``detach(_:)`` gives it back.
    ///
    /// - Returns: false when there are `limit` subscribers already.
    public func takePlace(for subscriber: any StreamSubscriber, limit: Int = .max) -> Bool {
        state.withLockedValue { state in
            guard state.attachments.count < limit else { return false }
            state.attachments.append(Attachment(number: 0, subscriber: subscriber, position: .max, isLive: false))
            return true
        }
    }

    /// Gives the stream to `subscriber`, from the event after `after` on. An earlier subscriber is detached, but for feeds; and so is this one if the
    /// stream was left meanwhile.
    ///
    /// - Returns: false when the stream has no event `after` yet (see ``newestSequence``); nothing has changed then. A position beyond the
    ///   newest event would hide the events up to it.
    @discardableResult
    public func attach(_ subscriber: any StreamSubscriber, after: UInt64) -> Bool {
        let attached = state.withLockedValue { state -> (previous: [Attachment], replayed: UInt64?, isLeft: Bool)? in
            if state.isLeft { return ([], nil, true) }
            guard after <= state.logged else { return nil }
            let previous = kind == .feed ? [] : state.attachments
            // Its place, if it took one.
            state.attachments.removeAll { kind != .feed || $0.subscriber === subscriber }
            // A stream that is new has nothing to replay.
            let isNew = state.nextSequence == 1 && !state.hasEnded
            let number = add(subscriber, after: after, isLive: isNew, to: &state)
            return (previous, isNew ? nil : number, false)
        }
        guard let (previous, replayed, isLeft) = attached else { return false }
        if isLeft { subscriber.streamDetached(self) }
        for attachment in previous where attachment.subscriber !== subscriber { attachment.subscriber.streamDetached(self) }
        if let replayed { replay(after: after, attachment: replayed) }
        return true
    }

    private func add(_ subscriber: any StreamSubscriber, after: UInt64, isLive: Bool, to state: inout State) -> UInt64 {
        let number = state.nextAttachment
        state.nextAttachment += 1
        state.attachments.append(Attachment(number: number, subscriber: subscriber, position: after, isLive: isLive))
        return number
    }

    /// Takes the stream from `subscriber`; nothing is lost, the log goes on.
    public func detach(_ subscriber: any StreamSubscriber) {
        state.withLockedValue { state in state.attachments.removeAll { $0.subscriber === subscriber } }
    }

    private func replay(after: UInt64, attachment number: UInt64) {
        log.read(id, of: session, after: after, limit: Self.replayBatch) { result in
            let subscriber = self.state.withLockedValue { state in state.index(of: number).map { state.attachments[$0].subscriber } }
            guard let subscriber else { return }
            guard case .success(let found?) = result else {
                self.detach(subscriber)
                subscriber.streamDetached(self)
                return
            }
            let isComplete = found.events.count < Self.replayBatch
            let endsHere = isComplete && found.record.hasEnded
            StreamMetrics.replayed(found.events.count)
            var newest = after
            for (index, event) in found.events.enumerated() {
                if event.sequence > newest + 1 { self.tellLost(newest + 1...event.sequence - 1, to: subscriber) }
                subscriber.deliver(event, of: self, isLast: endsHere && index == found.events.count - 1, isReplay: true)
                newest = event.sequence
            }
            if endsHere, found.events.isEmpty { subscriber.streamEnded(self) }
            if isComplete, !endsHere { self.tellRefused(after: newest, to: subscriber) }
            self.state.withLockedValue { state in
                guard let index = state.index(of: number) else { return }
                state.delivered = max(state.delivered, newest)
                state.attachments[index].position = max(state.attachments[index].position, newest)
                if isComplete { state.attachments[index].isLive = true }
                if endsHere || isComplete && state.refusedLast != nil { state.attachments.remove(at: index) }
            }
            if !isComplete { subscriber.whenDrained { [newest] in self.replay(after: newest, attachment: number) } }
        }
    }

    /// What the log refused after the newest event that it has: the client is told, and gets the end of the stream.
    private func tellRefused(after newest: UInt64, to subscriber: any StreamSubscriber) {
        let (refused, last) = state.withLockedValue { ($0.refused, $0.refusedLast) }
        let lost = last == nil ? refused : refused - 1
        if lost > newest { tellLost(newest + 1...lost, to: subscriber) }
        if let last { subscriber.deliver(last, of: self, isLast: true, isReplay: true) }
    }

    private func tellLost(_ sequences: ClosedRange<UInt64>, to subscriber: any StreamSubscriber) {
        subscriber.deliver(LostEvents.notice(sequences), of: self, isLast: false, isReplay: true)
    }
}
