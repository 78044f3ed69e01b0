import Synchronization
import NIOConcurrencyHelpers
import GatewayCore
import NIOCore
import RESP

/// The common shapes of calls.
extension RedisStore {
    /// What a write carries so that it is refused when the session has moved.
    struct Fence: Sendable {
        let incarnation: RedisArgument
        let epoch: RedisArgument
    }

    func fence(epoch: UInt64) -> Fence { Fence(incarnation: .text(String(identity.incarnation)), epoch: .text(String(epoch))) }

    /// That of a session that is not at home here: refused unless there is no such session.
    var noFence: Fence { Fence(incarnation: .text(String(identity.incarnation)), epoch: "") }

    func fence(of id: SessionID) -> Fence { sessions.epoch(of: id).map { fence(epoch: $0) } ?? noFence }

    func fenced(_ operation: String) -> StoreError {
        counters.fenced.add()
        return StoreError(operation: operation, reason: "the session is at home at another instance, or was deleted there", kind: .fenced)
    }

    /// Keeps something in the backlog; false, and counted, when it is full.
    func keepInBacklog(_ body: (SessionMemory) -> Bool) -> Bool {
        let isKept = body(sessions)
        if isKept { state.withLockedValue { $0.hasBacklog = true } } else { counters.rejectedBacklog.add() }
        return isKept
    }

    /// A script that only reads, or whose write belongs to no session's home.
    func query<Value: Sendable>(
        _ operation: String, isWrite: Bool = false, request: @escaping @Sendable () -> StoreCall,
        decode: @escaping @Sendable (RESPValue) throws(StoreError) -> Value,
        completion: @escaping @Sendable (Result<Value, StoreError>) -> Void
    ) {
        perform(isWrite: isWrite) { _ in
            request()
        } handle: { [self] reply, turn in
            let result = reply.mapError { storeError(operation, $0) }.flatMap { value in
                Result { () throws(StoreError) in try decode(value) }
            }
            finish(turn) { completion(result) }
        }
    }

    /// A write for a session that answers `ok`, `missing` or `fenced`. One that Redis has lost is written again first. Succeeds for a session that
    /// does not exist and is not at home here.
    func fencedWrite(
        _ operation: String, _ id: SessionID, cost: Int = 0, request: @escaping @Sendable (_ isRepetition: Bool) -> StoreCall,
        completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        perform(cost: cost, isWrite: true, request: request) { [self] reply, turn in
            settle(operation, id, reply, mayRevive: true) { again in
                self.sendAgain(request, handle: again)
            } completion: { result in
                self.finish(turn) { completion(result) }
            }
        }
    }

    private func settle(
        _ operation: String, _ id: SessionID, _ reply: Reply, mayRevive: Bool,
        again: @escaping @Sendable (@escaping @Sendable (Reply) -> Void) -> Void,
        completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        switch reply.map(\.word) {
        case .success("ok"):
            noteWrite()
            completion(.success(()))
        case .success(let word) where word == "missing" || word == "fenced":
            guard sessions[id] != nil else { return completion(word == "missing" ? .success(()) : .failure(fenced(operation))) }
            // Redis may have lost that the session is at home here. Where another home came after, that is found out too.
            guard mayRevive else {
                lose(id)
                return completion(.failure(fenced(operation)))
            }
            revive(id) { [self] isThere in
                guard isThere else { return completion(.failure(fenced(operation))) }
                again { self.settle(operation, id, $0, mayRevive: false, again: again, completion: completion) }
            }
        case .success: completion(.failure(garbled(operation)))
        case .failure(let failure): completion(.failure(storeError(operation, failure)))
        }
    }
}
