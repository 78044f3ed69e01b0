public import NIOCore

/// What is kept of an SSE stream besides its events.
public struct StreamRecord: Sendable, Equatable {
    /// What a stream is for.
    public enum Kind: String, Sendable {
        /// The answer to a POST: ends with the response.
        case exchange
        /// A GET stream: messages that belong to no request.
        case listening
        /// Every event of the session, for any number of connections to `/sse/events`.
        case feed
    }

    public let session: SessionID
    public let stream: StreamID
    public let kind: Kind
    /// Raw ids of the requests a stream of kind `exchange` answers, comma-separated as in a JSON array.
    public let requestIDs: ByteBuffer?
    /// Those of the requests that may be worked on twice, whole, as a JSON array: whoever finds the stream unfinished works on them again. Nil
    /// where there is none. A log keeps it until the stream has ended.
    public var repeatableRequests: ByteBuffer?
    /// How often the requests were worked on again. What was left in order (``Gateway/abandonExchanges()``) does not count.
    public var repetitions: Int
    public let createdAt: WallTime
    /// Whether the last event of the stream is in the log.
    public var hasEnded: Bool
    /// Sequence number of the newest event; 0 when there is none yet.
    public var lastSequence: UInt64

    public init(
        session: SessionID, stream: StreamID, kind: Kind, requestIDs: ByteBuffer?, repeatableRequests: ByteBuffer? = nil,
        repetitions: Int = 0, createdAt: WallTime, hasEnded: Bool = false, lastSequence: UInt64 = 0
    ) {
        self.session = session
        self.stream = stream
        self.kind = kind
        self.requestIDs = requestIDs
        self.repeatableRequests = repeatableRequests
        self.repetitions = repetitions
        self.createdAt = createdAt
        self.hasEnded = hasEnded
        self.lastSequence = lastSequence
    }
}

/// One event: a JSON-RPC message with its place in a stream. Sequence numbers start at 1; a number is missing where the log has lost an event
/// or never took it.
public struct StreamEvent: Sendable, Equatable {
    public let sequence: UInt64
    public let message: ByteBuffer
    /// Whether the log has it. One that it has not is sent to clients without an id: no position may be given out that cannot be resumed from.
    public var isLogged: Bool

    public init(sequence: UInt64, message: ByteBuffer, isLogged: Bool = true) {
        self.sequence = sequence
        self.message = message
        self.isLogged = isLogged
    }
}

/// Keeps the events of resumable streams until they are too old or too many ("write before send").
///
/// Calls return at once. Completions of one log run in the order of the calls, on a thread of the log's; they must not block. An
/// append is durable when its completion runs. A read sees every append that was asked for before it.
public protocol EventLog: Sendable {
    typealias Completion<Value> = @Sendable (Result<Value, StoreError>) -> Void

    /// Whether the next process, here or elsewhere, finds what was logged.
    var outlivesProcess: Bool { get }

    /// Adds a stream.
    func open(_ stream: StreamRecord, completion: @escaping Completion<Void>)
    /// Appends an event with a number greater than that of the newest; `ends` marks the stream as ended with it.
    func append(_ event: StreamEvent, to stream: StreamID, of session: SessionID, ends: Bool, completion: @escaping Completion<Void>)
    /// Notes how often the requests of a stream were worked on again (``StreamRecord/repetitions``). Fails when there is no such stream, or it has
    /// ended.
    func setRepetitions(of stream: StreamID, in session: SessionID, to count: Int, completion: @escaping Completion<Void>)
    /// Marks a stream as ended without an event.
    func end(_ stream: StreamID, of session: SessionID)
    /// The stream, nil when unknown, and up to `limit` events with a sequence greater than `after`, in order.
    func read(
        _ stream: StreamID, of session: SessionID, after: UInt64, limit: Int,
        completion: @escaping Completion<(record: StreamRecord, events: [StreamEvent])?>)
    /// All streams of a session, oldest first.
    func streams(of session: SessionID, completion: @escaping Completion<[StreamRecord]>)
    /// Deletes events appended before `deadline`, by the log's clock, and ended streams that have none left. Of a stream that goes on the newest
    /// event stays, so that numbers are not given twice. Tells how many streams it worked on; one call does only so much.
    func prune(before deadline: WallTime, completion: @escaping Completion<Int>)
    /// Runs `completion` when everything that was asked for before has completed.
    func barrier(_ completion: @escaping @Sendable () -> Void)
}
