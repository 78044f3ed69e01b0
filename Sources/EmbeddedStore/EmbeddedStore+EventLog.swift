public import GatewayCore
import NIOCore

extension EmbeddedStore: EventLog {
    /// Adds a stream. Refused when the session has one of that name. A stream of a session that does not exist is deleted by `prune`.
    public func open(_ stream: StreamRecord, completion: @escaping Completion<Void>) {
        submit("open a stream", cost: stream.requestIDs?.readableBytes ?? 0) {
            try $0.open(stream)
        } completion: {
            completion($0)
        }
    }

    /// Appends an event, and drops the oldest events of the stream while it exceeds its bounds (`EventLogLimits`).
    ///
    /// Refused when the stream is unknown or has ended, when the sequence is not that of the newest event plus one, and when the
    /// message is larger than the limit.
    public func append(
        _ event: StreamEvent, to stream: StreamID, of session: SessionID, ends: Bool, completion: @escaping Completion<Void>
    ) {
        let key = StreamKey(session: session, stream: stream)
        submit("append to a stream", cost: event.message.readableBytes) {
            try $0.append(event, to: key, ends: ends)
        } completion: {
            completion($0)
        }
    }

    /// Marks a stream as ended. Never refused by a full queue.
    public func end(_ stream: StreamID, of session: SessionID) {
        let key = StreamKey(session: session, stream: stream)
        submit("end a stream", always: true, work: { try $0.end(key) }, completion: nil)
    }

    /// The stream and its events after a sequence. If events were dropped, the first one returned has a sequence greater than `after + 1`.
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

    /// Deletes streams created before `deadline` that have ended or whose session is gone, and tells how many: at most
    /// `EmbeddedStoreOptions.prunedStreamsPerCall`; call again while it is that many. Bounds are kept by each append, not here.
    public func prune(endedBefore deadline: WallTime, completion: @escaping Completion<Int>) {
        submit("prune ended streams") {
            try $0.prune(endedBefore: deadline)
        } completion: {
            completion($0)
        }
    }
}
