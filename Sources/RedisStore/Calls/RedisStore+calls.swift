import Logging
import NIOConcurrencyHelpers
import GatewayCore
import NIOCore
import RESP
import Synchronization

/// Why a call has no answer.
enum CallFailure: Error {
    /// Redis cannot be reached, or does not serve. `mayHaveRun`: it was sent, and may have been executed or may be yet.
    case unavailable(String, mayHaveRun: Bool)
    /// The call was refused.
    case failed(String)
    /// Another life of this instance's name runs.
    case replaced
}

/// What is sent for a call.
enum StoreCall: Sendable {
    /// The first argument, the prefix, is added when it is sent.
    case script(RedisScript, keys: [RedisArgument] = [], arguments: [RedisArgument])
    case command(RedisCommand)
}

/// The place of a call in the line of completions.
struct Turn: Sendable {
    let place: UInt64
    let cost: Int
}

extension RedisStore {
    typealias Reply = Result<RESPValue, CallFailure>

    /// Sends a call, within the bounds of the queue. Its outcome goes to `handle`, on the event loop; that must lead to ``finish(_:_:)``.
    ///
    /// A call that was sent when the connection broke is sent again, with `isRepetition`, as long as its time lasts.
    func perform(
        cost: Int = 0, isWrite: Bool, request: @escaping @Sendable (_ isRepetition: Bool) -> StoreCall,
        handle: @escaping @Sendable (Reply, Turn) -> Void
    ) {
        let turn = Turn(place: line.enter(), cost: cost)
        if let refusal = admit(turn, isWrite: isWrite) {
            // Not on the caller's thread: callers may hold locks that their completions take.
            return client.eventLoop.execute { handle(.failure(refusal), turn) }
        }
        // The same if the client refuses it while the caller waits.
        let isCalling = CallMark()
        send(request, isRepetition: false, deadline: .now() + TimeAmount(client.configuration.commandTimeout)) { reply in
            guard isCalling.isSet else { return handle(reply, turn) }
            self.client.eventLoop.execute { handle(reply, turn) }
        }
        isCalling.clear()
    }

    /// Sends a call that has its place already, once more.
    func sendAgain(_ request: @escaping @Sendable (Bool) -> StoreCall, handle: @escaping @Sendable (Reply) -> Void) {
        send({ _ in request(true) }, isRepetition: true, deadline: .now() + TimeAmount(client.configuration.commandTimeout), handle: handle)
    }

    /// Ends a call: `completion` runs in its turn.
    func finish(_ turn: Turn, _ completion: @escaping @Sendable () -> Void) {
        line.finish(turn.place) {
            self.counters.queueDepth.add(-1)
            self.counters.queuedBytes.add(-turn.cost)
            self.counters.operations.add()
            completion()
        }
    }

    /// Ends a call that needs nothing of Redis, in its turn.
    func pass(_ completion: @escaping @Sendable () -> Void) {
        pass(after: client.eventLoop.makeSucceededVoidFuture(), completion)
    }

    /// The same with what another call comes to, which never fails.
    func pass<Outcome: Sendable>(after outcome: EventLoopFuture<Outcome>, _ completion: @escaping @Sendable (Outcome) -> Void) {
        let turn = Turn(place: line.enter(), cost: 0)
        counters.queueDepth.add()
        // Not on the caller's thread.
        client.eventLoop.execute { outcome.whenSuccess { outcome in self.finish(turn) { completion(outcome) } } }
    }

    private func admit(_ turn: Turn, isWrite: Bool) -> CallFailure? {
        let depth = counters.queueDepth.wrappingAdd(1, ordering: .relaxed).oldValue
        let bytes = counters.queuedBytes.wrappingAdd(turn.cost, ordering: .relaxed).oldValue
        // One that is larger than the bound is let in when it is alone; otherwise it could never be performed.
        guard depth < options.queueCapacity, bytes + turn.cost <= options.queueBytes || depth == 0 else {
            counters.rejected.add()
            return .failed(
                "its queue is full (\(depth) of \(options.queueCapacity) operations, \(bytes) of \(options.queueBytes) bytes); try again later"
            )
        }
        if state.withLockedValue({ $0.isClosed }) { return .unavailable("the store is closed", mayHaveRun: false) }
        if isWrite, directory.isReplaced { return .replaced }
        if let reason = breaker.withLockedValue({ $0.isOpen ? $0.reason ?? "it did not answer" : nil }) {
            return .unavailable("Redis is away: \(reason)", mayHaveRun: false)
        }
        return nil
    }

    private func send(
        _ request: @escaping @Sendable (Bool) -> StoreCall, isRepetition: Bool, deadline: NIODeadline,
        handle: @escaping @Sendable (Reply) -> Void
    ) {
        // A repetition has what is left of the call's time.
        run(request(isRepetition), timeout: isRepetition ? deadline - .now() : nil) { result in
            switch result {
            case .success(let value):
                self.breaker.withLockedValue { $0.succeeded(at: .now()) }
                handle(.success(value))
            case .failure(let error) where error.mayBeRepeated && .now() < deadline:
                self.counters.repeated.add()
                self.send(request, isRepetition: true, deadline: deadline, handle: handle)
            case .failure(let error):
                self.counters.failed.add()
                handle(.failure(self.failure(error)))
            }
        }
    }

    /// Sends a call once, beside the queue.
    func run(
        _ call: StoreCall, timeout: TimeAmount? = nil, _ body: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        future(call, timeout: timeout).whenComplete { result in
            switch result {
            case .success(let value): body(.success(value))
            case .failure(let error as RedisError): body(.failure(error))
            case .failure(let error): body(.failure(.unexpectedReply("\(error)")))
            }
        }
    }

    func future(_ call: StoreCall, timeout: TimeAmount? = nil) -> EventLoopFuture<RESPValue> {
        let timeout = timeout.map { Duration.nanoseconds(max(0, $0.nanoseconds)) }
        return switch call {
        case .script(let script, let keys, let arguments):
            client.run(script, keys: keys, arguments: [.text(options.keyPrefix)] + arguments, timeout: timeout)
        case .command(let command): client.send(command, timeout: timeout)
        }
    }

    /// Notes a failure and tells what it means for the call.
    func failure(_ error: RedisError) -> CallFailure {
        switch error {
        case .queueFull, .unexpectedReply:
            return .failed(error.description)
        case .server where error.isOfData:
            unreadableLine.write(["error": "\(error)"])
            return .failed(error.description)
        case .server where !error.isOutage:
            note(refusal: error.description)
            return .failed(error.description)
        default:
            noteOutage(error.description)
            return .unavailable(error.description, mayHaveRun: error.mayHaveBeenExecuted)
        }
    }

    /// Redis answers, but refuses what it is asked (memory, disk): shown by ``failure`` until a write succeeds.
    private func note(refusal: String) { state.withLockedValue { $0.refusal = refusal } }

    func noteWrite() {
        state.withLockedValue { if $0.refusal != nil { $0.refusal = nil } }
    }

    private func noteOutage(_ reason: String) {
        guard breaker.withLockedValue({ $0.failed(reason, at: .now()) }) else { return }
        counters.openings.add()
        logger.error("Redis is away: calls fail at once until it is back", metadata: ["reason": "\(reason)"])
    }

    /// The error that a caller gets.
    func storeError(_ operation: String, _ failure: CallFailure) -> StoreError {
        switch failure {
        case .unavailable(let reason, _): StoreError(operation: operation, reason: reason, kind: .unavailable)
        case .failed(let reason): StoreError(operation: operation, reason: reason)
        case .replaced:
            StoreError(operation: operation, reason: "another process runs as instance \(identity.name)", kind: .fenced)
        }
    }

    /// What Redis answered makes no sense.
    func garbled(_ operation: String) -> StoreError {
        StoreError(operation: operation, reason: "Redis answered what this version does not understand")
    }
}

/// Tells an outcome that comes while the caller still waits from one that comes later.
private final class CallMark: Sendable {
    private let flag = Atomic(true)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func clear() { flag.store(false, ordering: .releasing) }
}

extension RedisError {
    /// Whether a call may be sent again: it may have been executed and tells so, or it was not (another client made Redis forget its scripts).
    fileprivate var mayBeRepeated: Bool {
        switch self {
        case .connectionLost(let wasSent): wasSent
        case .server(let error): error.code == "NOSCRIPT"
        default: false
        }
    }
}

extension RESPValue {
    /// The word that a script's reply begins with.
    var word: String? { elements?.first?.text }
}

extension RedisError {
    /// Whether the reason is what is at a key, or how a script gets along with it, and neither the server nor the right to use it.
    var isOfData: Bool {
        guard case .server(let error) = self, !isOutage else { return false }
        return ["WRONGTYPE", "ERR"].contains(error.code)
    }
}
