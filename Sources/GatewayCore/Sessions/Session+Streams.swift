public import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// SSE streams of a session.
extension Session {
    /// Begins the stream that answers the requests of a POST. `opened` runs when the stream is durable; events may be appended at once.
    ///
    /// What may be worked on twice is kept with it, so that it can be after the end of this process.
    public func openExchangeStream(
        answering requests: [Message], opened: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) -> EventStream {
        let ids = ByteBuffer.jsonArray(requests.map { $0.idBytes ?? ByteBuffer(string: "null") })
        let repeatable = gateway.repeatable(requests, server: server)
        return state.withLockedValue { state in
            let stream = gateway.openStream(
                of: self, kind: .exchange, prefix: .exchange, requestIDs: ids, repeatable: repeatable, opened: opened)
            state.streams[stream.id] = stream
            return stream
        }
    }

    /// The stream of a POST got its last event.
    public func exchangeStreamEnded(_ stream: EventStream) {
        state.withLockedValue { _ = $0.streams.removeValue(forKey: stream.id) }
    }

    /// The listening stream for a GET without `Last-Event-ID`, and the position to begin at: one that holds messages nobody was given, or
    /// a new one. `opened` runs when it is durable. Nil when the session has too many.
    public func openListeningStream(opened: @escaping @Sendable (Result<Void, StoreError>) -> Void) -> (stream: EventStream, after: UInt64)?
    {
        let waiting = state.withLockedValue { $0.listening.last { !$0.isConnected && $0.hasUndelivered } }
        if let waiting {
            opened(.success(()))
            return (waiting, waiting.deliveredSequence)
        }
        return state.withLockedValue { state in
            guard state.makeRoomForListening(limit: gateway.settings.maxListeningStreams) else { return nil }
            let stream = gateway.openStream(of: self, kind: .listening, prefix: .listening, requestIDs: nil, opened: opened)
            state.listening.append(stream)
            return (stream, 0)
        }
    }

    /// Whether a client may connect to a listening stream that is there: one takes over the place of its last connection, or there is room.
    public func mayListen(to stream: EventStream) -> Bool {
        state.withLockedValue { state in
            stream.isConnected || state.listening.count { $0.isConnected } < gateway.settings.maxListeningStreams
        }
    }

    /// Sends what waited for a listening stream; called once one is attached.
    public func listeningStreamAttached() {
        let pending = state.withLockedValue { state in
            defer { state.pendingListChanges.removeAll() }
            return state.pendingListChanges
        }
        for method in pending { sendListChanged(method) }
    }

    /// Finds the stream a `Last-Event-ID` names, in memory or in the log. Nil when there is none.
    ///
    /// A stream whose exchanges ended with the process that worked on them, here or at another instance, is gone on with
    /// (``goOn(with:_:)``).
    public func findStream(_ id: StreamID, completion: @escaping @Sendable (Result<EventStream?, StoreError>) -> Void) {
        let known = state.withLockedValue { state in
            state.streams[id] ?? (state.feed?.id == id ? state.feed : nil) ?? state.listening.first { $0.id == id }
        }
        if let known { return completion(.success(known)) }
        gateway.events.read(id, of: self.id, after: .max, limit: 1) { result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(nil): completion(.success(nil))
            case .success(let found?): completion(.success(self.revive(found.record)))
            }
        }
    }

    private func revive(_ record: StreamRecord) -> EventStream {
        let (stream, isNew) = state.withLockedValue { state -> (EventStream, Bool) in
            if let known = state.streams[record.stream] ?? state.listening.first(where: { $0.id == record.stream })
                ?? (state.feed?.id == record.stream ? state.feed : nil)
            {
                return (known, false)
            }
            let stream = EventStream(record: record, delivered: record.lastSequence, log: gateway.events, lines: gateway.lines)
            switch record.kind {
            case .listening:
                // Without room nobody may connect to it (``mayListen(to:)``), and it is not kept.
                if state.makeRoomForListening(limit: gateway.settings.maxListeningStreams) { state.listening.append(stream) }
            case .feed: if state.feed == nil, !record.hasEnded { state.feed = stream }
            case .exchange: if !record.hasEnded { state.streams[record.stream] = stream }
            }
            return (stream, true)
        }
        if isNew, record.kind == .exchange, !record.hasEnded { goOn(with: stream, record) }
        return stream
    }

    /// Loads the listening stream that the client will come back to, after a restart.
    func restoreStreams(_ records: [StreamRecord]) {
        if let record = records.last(where: { $0.kind == .feed && !$0.hasEnded }) {
            let feed = EventStream(record: record, delivered: record.lastSequence, log: gateway.events, lines: gateway.lines)
            state.withLockedValue { state in if state.feed == nil { state.feed = feed } }
        }
        guard let record = records.last(where: { $0.kind == .listening && !$0.hasEnded }) else { return }
        // What a stream begun by a message holds was never given to anybody; of others the client knows its position.
        let delivered = record.stream.wasBegunWaiting ? 0 : record.lastSequence
        let stream = EventStream(record: record, delivered: delivered, log: gateway.events, lines: gateway.lines)
        state.withLockedValue { state in
            if state.listening.isEmpty { state.listening.append(stream) }
        }
    }
}

extension Session.State {
    /// Lets the oldest listening stream that nobody is connected to leave memory if there are as many as may be; false when all are connected.
    fileprivate mutating func makeRoomForListening(limit: Int) -> Bool {
        guard listening.count >= limit else { return true }
        guard let index = listening.firstIndex(where: { !$0.isConnected }) else { return false }
        listening.remove(at: index)
        return true
    }
}
