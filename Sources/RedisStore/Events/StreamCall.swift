import GatewayCore
import NIOCore
import RESP

/// A call for a stream: it has a place in the line of completions and one in the lane of its stream.
struct StreamCall: Sendable {
    let store: RedisStore
    let key: StreamKey
    /// Its place in the lane.
    let number: UInt64
    let turn: Turn
    /// Whether its session may be written again for it: once.
    let mayRevive: Bool
    let sequence: UInt64
    let request: @Sendable (_ previous: UInt64, _ isRepetition: Bool) -> StoreCall
    let handle: @Sendable (RedisStore.Reply, StreamCall) -> Void

    /// Whether calls for the stream that were asked for before have no outcome yet.
    var mayWait: Bool { !store.lanes.isFirst(key, number) }

    /// Sends the call once more when those before it are done.
    func sendAgainInOrder() {
        if !store.lanes.wait(key, number, resume: { sendAgain(mayRevive: mayRevive) }) { sendAgain(mayRevive: mayRevive) }
    }

    /// Sends the call once more, now that its session was written again.
    func sendAgainRevived() { sendAgain(mayRevive: false) }

    private func sendAgain(mayRevive: Bool) {
        let call = StreamCall(
            store: store, key: key, number: number, turn: turn, mayRevive: mayRevive, sequence: sequence, request: request, handle: handle)
        store.sendAgain { _ in
            // What is missing after the session was written again is lost.
            let previous = mayRevive ? store.previous(key, of: number, sequence) : store.lanes.previous(key, of: number)
            return request(previous, true)
        } handle: {
            handle($0, call)
        }
    }

    /// The call has its outcome.
    func end(_ completion: @escaping @Sendable () -> Void) {
        store.finish(turn, completion)
        store.lanes.leave(key, number)
    }
}

extension RedisStore {
    /// Sends a call for a stream, after those that were asked for before. `request` gets the event that must be there before.
    func perform(
        _ key: StreamKey, sequence: UInt64 = 0, cost: Int = 0, isWrite: Bool,
        request: @escaping @Sendable (_ previous: UInt64, _ isRepetition: Bool) -> StoreCall,
        handle: @escaping @Sendable (Reply, StreamCall) -> Void
    ) {
        let number = lanes.enter(key, sequence: sequence)
        perform(cost: cost, isWrite: isWrite) { [self] isRepetition in
            request(previous(key, of: number, sequence), isRepetition)
        } handle: { [self] reply, turn in
            handle(
                reply,
                StreamCall(
                    store: self, key: key, number: number, turn: turn, mayRevive: true, sequence: sequence, request: request, handle: handle
                ))
        }
    }

    /// The event that must be there before an append: one that is on its way, or the newest that Redis acknowledged.
    fileprivate func previous(_ key: StreamKey, of number: UInt64, _ sequence: UInt64) -> UInt64 {
        sequence == 0 ? 0 : max(lanes.previous(key, of: number), sessions.lastSequence(key))
    }

    /// What all writes for streams have in common: a session that Redis has lost is written again, one that is at home elsewhere is given up.
    func settle(
        _ operation: String, _ key: StreamKey, _ reply: Reply, _ call: StreamCall,
        completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        switch reply.map(\.word) {
        case .success("missing"), .success("fenced"):
            guard sessions[key.session] != nil, call.mayRevive else {
                lose(key.session)
                return completion(.failure(fenced(operation)))
            }
            revive(key.session) { [self] in $0 ? call.sendAgainRevived() : completion(.failure(fenced(operation))) }
        case .success: completion(.failure(garbled(operation)))
        case .failure(let failure): completion(.failure(storeError(operation, failure)))
        }
    }
}
