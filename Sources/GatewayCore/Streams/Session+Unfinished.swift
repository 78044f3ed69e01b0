import Logging
import MCPProtocol
import NIOConcurrencyHelpers
import NIOCore

/// Streams that answer requests and were left unfinished: by a process that is gone, here or at another instance, or by a log that did not take
/// the answer.
extension Session {
    /// Leaves those streams unfinished whose requests may be worked on twice: their clients come back for the rest, and the session's next home
    /// goes on with them. Other streams are to be ended.
    ///
    /// - Parameter inOrder: this process ends because it was told to, not because of what it worked on.
    func leaveRepeatable(inOrder: Bool = false) {
        // Of older revisions a client has no position before the first event.
        let hasPosition = revision.hasPrimingEvents
        let left = state.withLockedValue { state in
            let left = state.streams.values.filter { $0.canBeGoneOnWith && (hasPosition || $0.deliveredSequence > 0) }
            for stream in left { state.streams.removeValue(forKey: stream.id) }
            return left
        }
        for stream in left {
            if inOrder { stream.takeBackRepetition() }
            stream.leave()
        }
    }

    /// Works once more on those requests of the stream that have no answer and may be worked on twice; the others get an error that says
    /// that their outcome is unknown, and so do all when they were begun too often: one of them may be what ends the processes. Whoever resumes
    /// the stream gets all of it behind what was there.
    ///
    /// Called once for a stream, by the session's home: what anybody else appends the log refuses.
    func goOn(with stream: EventStream, _ record: StreamRecord) {
        let ids = ByteBuffer.jsonElements(of: record.requestIDs)
        let requests = ByteBuffer.jsonElements(of: record.repeatableRequests).compactMap { try? Message.parse($0) }
        // A stream that answers one request would have ended with its answer.
        guard ids.count > 1 || requests.contains(where: { $0.routing.progressToken.isPresent }) else {
            return goOn(with: stream, record, unanswered: ids, requests, floors: [:])
        }
        UnfinishedStream.read(record, from: gateway.events) { found in
            self.goOn(with: stream, record, unanswered: ids.filter { !found.answered.contains($0) }, requests, floors: found.progress)
        }
    }

    private func goOn(
        with stream: EventStream, _ record: StreamRecord, unanswered ids: [ByteBuffer], _ requests: [Message], floors: [ByteBuffer: Double]
    ) {
        let repeated = requests.filter { request in request.idBytes.map(ids.contains) ?? false }
        guard !repeated.isEmpty else { return lose(ids, of: stream) }
        // Whoever takes the session over begins them; here they would soon be cut off. The stream is left to it as it is.
        guard !gateway.isLeaving else { return }
        guard record.repetitions < gateway.settings.maxRepetitions else {
            LimitHits.count(.maxRepetitions)
            gateway.lines.notWorkedOnAgain.write(
                ["session": "\(id.shortened)", "stream": "\(stream.id)", "repetitions": "\(record.repetitions)"])
            return lose(ids, of: stream)
        }
        stream.countRepetition { result in
            // Meanwhile it may have been left.
            guard self.state.withLockedValue({ $0.streams[stream.id] === stream }) else { return }
            switch result {
            case .success: self.workAgain(on: repeated, of: stream, unanswered: ids, floors: floors)
            case .failure(let error) where error.kind == .failed: self.lose(ids, of: stream)
            case .failure:
                // Whoever resumes it tries again, here or where it is at home now.
                self.exchangeStreamEnded(stream)
                stream.leave()
            }
        }
    }

    private func workAgain(on repeated: [Message], of stream: EventStream, unanswered ids: [ByteBuffer], floors: [ByteBuffer: Double]) {
        for id in ids where !repeated.contains(where: { $0.idBytes == id }) { stream.append(Gateway.lostError.response(id: id)) }
        gateway.lines.workedOnAgain.write(
            ["session": "\(id.shortened)", "stream": "\(stream.id)", "count": "\(repeated.count)"])
        let sink = RepeatedExchanges(stream: stream, session: self, count: repeated.count, floors: floors)
        for request in repeated { gateway.handle(request, in: self, sink: sink) }
    }

    /// Ends a stream whose requests without an answer are not worked on again.
    private func lose(_ ids: [ByteBuffer], of stream: EventStream) {
        for (index, id) in ids.enumerated() { stream.append(Gateway.lostError.response(id: id), ends: index == ids.count - 1) }
        if ids.isEmpty { stream.end() }
        exchangeStreamEnded(stream)
    }
}

/// What the events of an unfinished stream say of its requests.
struct UnfinishedStream {
    /// Raw ids of the requests that have their answer.
    private(set) var answered: Set<ByteBuffer> = []
    /// The newest progress that was told, by raw token.
    private(set) var progress: [ByteBuffer: Double] = [:]

    private static let batch = 256

    /// Reads all that the log has of a stream. What it cannot read is left out.
    static func read(_ record: StreamRecord, from log: any EventLog, completion: @escaping @Sendable (UnfinishedStream) -> Void) {
        UnfinishedStream().read(record, from: log, after: 0, completion: completion)
    }

    private func read(
        _ record: StreamRecord, from log: any EventLog, after: UInt64, completion: @escaping @Sendable (UnfinishedStream) -> Void
    ) {
        log.read(record.stream, of: record.session, after: after, limit: Self.batch) { result in
            let events = (try? result.get())?.events ?? []
            var next = self
            for event in events { next.note(event.message) }
            guard events.count == Self.batch, let last = events.last else { return completion(next) }
            next.read(record, from: log, after: last.sequence, completion: completion)
        }
    }

    private mutating func note(_ bytes: ByteBuffer) {
        guard let message = try? Message.parse(bytes) else { return }
        switch message.kind {
        case .response, .errorResponse: if let id = message.idBytes { answered.insert(id) }
        case .notification: if let (token, value) = message.toldProgress { progress[token] = max(value, progress[token] ?? value) }
        case .request: break
        }
    }
}

/// Gives the events of requests that are worked on again to the stream that was begun for them.
final class RepeatedExchanges: ExchangeSink {
    private let stream: EventStream
    private let session: Session
    private let state: NIOLockedValueBox<State>

    private struct State {
        /// Requests without an answer.
        var open: Int
        /// How far progress was told, by raw token.
        var floors: [ByteBuffer: Double]
    }

    /// - Parameter floors: progress that the client has heard of. It must increase (basic/utilities/progress, "Behavior Requirements"), so what
    ///   is told again, up to there, is left out.
    init(stream: EventStream, session: Session, count: Int, floors: [ByteBuffer: Double]) {
        self.stream = stream
        self.session = session
        state = NIOLockedValueBox(State(open: count, floors: floors))
    }

    func emit(_ event: ExchangeEvent, of exchange: Exchange) {
        // Under the lock, so that the last answer of several is the last event.
        let ends = state.withLockedValue { state in
            if case .notification(let bytes) = event, !state.floors.isEmpty, let message = try? Message.parse(bytes),
                let (token, value) = message.toldProgress, let floor = state.floors[token]
            {
                guard value > floor else { return false }
                state.floors[token] = nil
            }
            if event.isFinal { state.open -= 1 }
            stream.append(event.message, ends: state.open == 0)
            return state.open == 0
        }
        if ends { session.exchangeStreamEnded(stream) }
    }
}

extension Message {
    /// What a `notifications/progress` tells: the raw token and how far it is; nil for any other message.
    fileprivate var toldProgress: (token: ByteBuffer, value: Double)? {
        guard kind == .notification, methodName == .progress, let token = json.slice(param("progressToken")),
            let text = json.slice(param("progress")), let value = Double(String(buffer: text))
        else { return nil }
        return (token, value)
    }
}

extension ByteBuffer {
    /// A JSON array of raw values.
    static func jsonArray(_ elements: [ByteBuffer]) -> ByteBuffer {
        var array = ByteBuffer()
        array.reserveCapacity(elements.reduce(2) { $0 + $1.readableBytes + 1 })
        array.writeStaticString("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { array.writeStaticString(",") }
            array.writeImmutableBuffer(element)
        }
        array.writeStaticString("]")
        return array
    }

    /// The raw elements of a JSON array; none of anything else.
    static func jsonElements(of array: ByteBuffer?) -> [ByteBuffer] {
        guard let array, let json = try? JSONText(validating: array) else { return [] }
        return json.elements(of: json.root).compactMap { json.slice($0) }
    }
}
