import Synchronization
import NIOConcurrencyHelpers
public import GatewayCore
import NIOCore
import RESP

extension RedisStore: EventLog {
    public var outlivesProcess: Bool { true }

    /// Adds a stream. Refused when the session has another of that name.
    public func open(_ stream: StreamRecord, completion: @escaping Completion<Void>) {
        let key = StreamKey(session: stream.session, stream: stream.stream)
        let operation = "open stream \(stream.stream)"
        sessions.opened(stream)
        let cost = (stream.requestIDs?.readableBytes ?? 0) + (stream.repeatableRequests?.readableBytes ?? 0)
        perform(key, cost: cost, isWrite: true) { [self] _, _ in
            let fence = fence(of: stream.session)
            return .script(
                Scripts.open, keys: [keys.session(stream.session), keys.stream(key), keys.streams(stream.session)],
                arguments: [
                    fence.incarnation, fence.epoch, .text(key.name), .text(stream.stream.value), .text(stream.kind.rawValue),
                    .bytes(stream.requestIDs ?? ByteBuffer()), .integer(stream.createdAt.milliseconds), stream.hasEnded ? "1" : "0",
                    .text(String(stream.lastSequence)), .integer(options.expiry), .bytes(stream.repeatableRequests ?? ByteBuffer()),
                ])
        } handle: { [self] reply, call in
            switch reply.map(\.word) {
            case .success("ok"): call.end { completion(.success(())) }
            case .success("exists"):
                let error = StoreError(operation: operation, reason: "the session has a stream of that name already")
                call.end { completion(.failure(error)) }
            default:
                settle(operation, key, reply, call) { [self] result in
                    // Who asks opens it once more.
                    sessions.notOpened(key)
                    call.end { completion(result) }
                }
            }
        }
    }

    /// Appends an event, and drops the oldest events of the stream while it exceeds its bounds (`EventLogLimits`).
    ///
    /// Refused when the stream is unknown or has ended, when the sequence is not greater than that of the newest event, when the message is
    /// larger than the limit, and while Redis is away: events are not kept in memory.
    public func append(
        _ event: StreamEvent, to stream: StreamID, of session: SessionID, ends: Bool, completion: @escaping Completion<Void>
    ) {
        let key = StreamKey(session: session, stream: stream)
        let bytes = event.message.readableBytes
        guard bytes <= limits.largestEvent else {
            return pass { [self] in
                let reason = "the message has \(bytes) bytes, more than the limit of \(limits.largestEvent)"
                eventRefused(nil)
                completion(.failure(StoreError(operation: "append to stream \(stream)", reason: reason)))
            }
        }
        perform(key, sequence: event.sequence, cost: bytes, isWrite: true) { [self] previous, isRepetition in
            let fence = fence(of: session)
            return .script(
                Scripts.append, keys: [keys.session(session), keys.stream(key), keys.events(key), keys.aging],
                arguments: [
                    fence.incarnation, fence.epoch, isRepetition ? "1" : "0", .text(key.name), .text(String(event.sequence)),
                    .text(String(previous)), .bytes(event.message), ends ? "1" : "0", .integer(limits.maxEventsPerStream),
                    .integer(limits.maxBytesPerStream), .integer(options.expiry),
                    eventClock.withLockedValue { $0.map { .integer($0.milliseconds) } ?? "" },
                ])
        } handle: { [self] reply, call in
            @Sendable func refuse(_ reason: String) {
                eventRefused(nil)
                let error = StoreError(operation: "append to stream \(stream)", reason: reason)
                call.end { completion(.failure(error)) }
            }
            switch reply.map(\.word) {
            case .success("ok"):
                if case .success(let value) = reply { countDrops(value) }
                if let record = sessions.appended(event.sequence, to: key, ends: ends) {
                    recent.add(event, to: record, ends: ends, now: .now())
                }
                noteWrite()
                eventTaken()
                call.end { completion(.success(())) }
            case .success("gap"):
                if call.mayWait || !call.mayRevive { return call.sendAgainInOrder() }
                // An event is gone that Redis had acknowledged.
                revive(session) { _ in call.sendAgainRevived() }
            case .success("none"):
                // It may be that its opening is on its way again, or that Redis has lost it.
                if call.mayWait { return call.sendAgainInOrder() }
                guard call.mayRevive, sessions[session]?.streams[stream] != nil else { return refuse("the session has no such stream") }
                revive(session) { $0 ? call.sendAgainRevived() : refuse("the session has no such stream") }
            case .success("ended"): refuse("the stream has ended")
            case .success("behind"):
                refuse("event \(event.sequence) does not follow event \((try? reply.get())?.elements?.last?.text ?? "?")")
            default:
                if case .failure(.unavailable(_, mayHaveRun: true)) = reply { doubt(event.sequence, key) }
                settle("append to stream \(stream)", key, reply, call) { [self] result in
                    if case .failure(let error) = result { eventRefused(error.reason) }
                    call.end { completion(result) }
                }
            }
        }
    }

    /// Most streams whose unanswered appends are remembered.
    private static let maxDoubtfulStreams = 10_000

    /// It may be in the log, or come there later: it is taken back when Redis answers.
    private func doubt(_ sequence: UInt64, _ key: StreamKey) {
        state.withLockedValue { state in
            guard state.doubtfulEvents.count < Self.maxDoubtfulStreams else { return }
            state.doubtfulEvents[key, default: []].insert(sequence)
            state.hasBacklog = true
        }
    }

    private func countDrops(_ value: RESPValue) {
        guard let parts = value.elements, parts.count == 3 else { return }
        counters.droppedEvents.add(Int(parts[1].int ?? 0))
        LimitHits.count(parts[2].text == "1" ? .maxEventsPerStream : .maxBytesPerStream)
    }

    /// Notes how often the requests of a stream were worked on again; fails while Redis is away.
    public func setRepetitions(of stream: StreamID, in session: SessionID, to count: Int, completion: @escaping Completion<Void>) {
        let key = StreamKey(session: session, stream: stream)
        let operation = "count a repetition of stream \(stream)"
        perform(key, isWrite: true) { [self] _, _ in
            let fence = fence(of: session)
            return .script(
                Scripts.setRepetitions, keys: [keys.session(session), keys.stream(key)],
                arguments: [fence.incarnation, fence.epoch, .integer(count)])
        } handle: { [self] reply, call in
            @Sendable func refuse() {
                let error = StoreError(operation: operation, reason: "the session has no such stream, or it has ended")
                call.end { completion(.failure(error)) }
            }
            switch reply.map(\.word) {
            case .success("ok"):
                sessions.repeated(key, count, now: .now())
                noteWrite()
                call.end { completion(.success(())) }
            case .success("none"):
                // As for an append: it may be that its opening is on its way again, or that Redis has lost it.
                if call.mayWait { return call.sendAgainInOrder() }
                guard call.mayRevive, sessions[session]?.streams[stream] != nil else { return refuse() }
                revive(session) { $0 ? call.sendAgainRevived() : refuse() }
            case .success("ended"): refuse()
            default: settle(operation, key, reply, call) { result in call.end { completion(result) } }
            }
        }
    }

    /// Marks a stream as ended; where Redis cannot be told now, when it is back.
    public func end(_ stream: StreamID, of session: SessionID) {
        let key = StreamKey(session: session, stream: stream)
        sessions.ends(key)
        perform(key, isWrite: true) { [self] _, _ in
            let fence = fence(of: session)
            return .script(
                Scripts.end, keys: [keys.session(session), keys.stream(key), keys.events(key), keys.aging],
                arguments: [fence.incarnation, fence.epoch, .text(key.name)])
        } handle: { [self] reply, call in
            switch reply.map(\.word) {
            case .success("ok"): sessions.ended(key)
            case .success("none"):
                if call.mayWait { return call.sendAgainInOrder() }
                sessions.ended(key)
            case .success("fenced"): lose(session)
            case .failure: _ = keepInBacklog { $0.keepWrite(of: session) }
            default: break
            }
            call.end {}
        }
    }

    /// The stream and its events after a sequence. Where events were dropped, or never taken, there is a gap in the sequence.
    public func read(
        _ stream: StreamID, of session: SessionID, after: UInt64, limit: Int,
        completion: @escaping Completion<(record: StreamRecord, events: [StreamEvent])?>
    ) {
        let key = StreamKey(session: session, stream: stream)
        // Ids end at 2^64 - 1.
        let isBeyond = after >= UInt64(Int64.max)
        perform(key, isWrite: false) { [self] _, _ in
            .script(
                Scripts.read, keys: [keys.stream(key), keys.events(key)],
                arguments: [.text("\(isBeyond ? after : after + 1)-0"), .integer(isBeyond ? 0 : max(0, limit))])
        } handle: { [self] reply, call in
            switch reply {
            case .failure(let failure):
                let error = storeError("read stream \(stream)", failure)
                call.end { completion(.failure(error)) }
            case .success(let value):
                // It must show what was asked for before it.
                if call.mayWait { return call.sendAgainInOrder() }
                let parts = value.elements ?? []
                let record = EventFields.record(parts.prefix(7), key: key)
                let events = parts.count == 8 ? EventFields.events(parts[7]) : []
                call.end { completion(.success(record.map { ($0, events) })) }
            }
        }
    }

    public func streams(of session: SessionID, completion: @escaping Completion<[StreamRecord]>) {
        query("list the streams of a session") { [self] in
            .script(Scripts.streams, keys: [keys.streams(session)], arguments: [.text(session.description)])
        } decode: { value in
            (value.elements ?? []).compactMap { element -> StreamRecord? in
                guard let parts = element.elements, let name = parts.first?.text else { return nil }
                return EventFields.record(parts.dropFirst(), key: StreamKey(session: session, stream: StreamID(name)))
            }
        } completion: { [self] result in
            if case .success(let streams) = result { sessions.found(streams, of: session) }
            completion(result)
        }
    }

    /// Deletes events appended before `deadline`, by Redis's clock, and the ended streams that have none left. Of a stream that goes on the newest
    /// event stays. One call works on `RedisStoreOptions.prunedStreamsPerCall` streams at most.
    public func prune(before deadline: WallTime, completion: @escaping Completion<Int>) {
        query("prune old events") { [self] in
            .script(
                Scripts.prune, keys: [keys.aging],
                arguments: [
                    .integer(deadline.milliseconds), .integer(options.prunedStreamsPerCall), .integer(options.prunedEventsPerCall),
                ])
        } decode: {
            Int($0.int ?? 0)
        } completion: {
            completion($0)
        }
    }

    public func barrier(_ completion: @escaping @Sendable () -> Void) { pass(completion) }

    // MARK: What health shows

    private func eventTaken() {
        if state.withLockedValue({ $0.eventRefusal != nil }) { state.withLockedValue { $0.eventRefusal = nil } }
    }

    /// - Parameter reason: nil when it was the event's own fault.
    private func eventRefused(_ reason: String?) {
        counters.unloggedEvents.add()
        if let reason { state.withLockedValue { $0.eventRefusal = reason } }
    }
}
