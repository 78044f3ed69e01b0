public import GatewayCore
import NIOCore

extension EmbeddedStore: EventLog {
    /// Adds a stream. Refused when the session has one of that name. A stream of a session that does not exist is deleted by `prune`.
    public func open(_ stream: StreamRecord, completion: @escaping Completion<Void>) {
        submit("open a stream", cost: (stream.requestIDs?.readableBytes ?? 0) + (stream.repeatableRequests?.readableBytes ?? 0)) {
            try $0.open(stream)
        } completion: {
            completion($0)
        }
    }

    /// Appends an event, and drops the oldest events of the stream while it exceeds its bounds (`EventLogLimits`).
    ///
    /// Refused when the stream is unknown or has ended, when the sequence is not greater than that of the newest event, and when the message
    /// is larger than the limit.
    public func append(
        _ event: StreamEvent, to stream: StreamID, of session: SessionID, ends: Bool, completion: @escaping Completion<Void>
    ) {
        let key = StreamKey(session: session, stream: stream)
        let isAdmitted = submit("append to a stream", cost: event.message.readableBytes) {
            try $0.append(event, to: key, ends: ends)
        } completion: { result in
            self.eventCompleted(isLogged: (try? result.get()) != nil)
            completion(result)
        }
        if !isAdmitted { eventRefused() }
    }

    public func setRepetitions(of stream: StreamID, in session: SessionID, to count: Int, completion: @escaping Completion<Void>) {
        let key = StreamKey(session: session, stream: stream)
        submit("count a repetition") {
            try $0.setRepetitions(of: key, to: count)
        } completion: {
            completion($0)
        }
    }

    /// Marks a stream as ended. Never refused by a full queue.
    public func end(_ stream: StreamID, of session: SessionID) {
        let key = StreamKey(session: session, stream: stream)
        submit("end a stream", always: true, work: { try $0.end(key) }, completion: nil)
    }

    /// The stream and its events after a sequence. Where events were dropped, or never taken, there is a gap in the sequence.
    public func read(
        _ stream: StreamID, of session: SessionID, after: UInt64, limit: Int,
        completion: @escaping Completion<(record: StreamRecord, events: [StreamEvent])?>
    ) {
        let key = StreamKey(session: session, stream: stream)
        submit("read a stream", isWrite: false) {
            try $0.read(key, after: after, limit: limit)
        } completion: {
            completion($0)
        }
    }

    public func streams(of session: SessionID, completion: @escaping Completion<[StreamRecord]>) {
        submit("list the streams of a session", isWrite: false) {
            try $0.streams(of: session)
        } completion: {
            completion($0)
        }
    }

    /// Deletes events appended before `deadline` and the ended streams that have none left. Of a stream that goes on the newest event stays.
    ///
    /// Work of one call is bounded (`EmbeddedStoreOptions.prunedStreamsPerCall`, `prunedEventsPerCall`): tells how many streams it worked
    /// on; call again until that is 0.
    public func prune(before deadline: WallTime, completion: @escaping Completion<Int>) {
        submit("prune old events") {
            try $0.prune(before: deadline)
        } completion: {
            completion($0)
        }
    }

    public func barrier(_ completion: @escaping @Sendable () -> Void) {
        // Never refused: it carries nothing, and its caller waits for it.
        submit("pass a barrier", isWrite: false, always: true) { _ in
            ()
        } completion: { _ in
            completion()
        }
    }
}
