import GatewayCore
import NIOCore
import RESP

/// Writes one session again that is at home here.
extension RedisStore {
    /// Writes a session that is at home here again, because Redis does not have it. `body` gets false when it is gone for good.
    func revive(_ id: SessionID, _ body: @escaping @Sendable (_ isThere: Bool) -> Void) {
        guard let (held, calls) = restoration(id) else { return body(false) }
        EventLoopFuture.whenAllSucceed(calls.map { future($0) }, on: client.eventLoop).whenComplete { [self] result in
            // If Redis is away again the caller finds out by itself.
            guard case .success(let replies) = result else { return body(true) }
            body(restored(id, held, replies))
        }
    }

    /// What is remembered of a session, and the calls that write it: one for itself and its streams, and one for the newest events of each stream.
    /// Nil when it is not here any more, or has expired.
    func restoration(_ id: SessionID) -> (held: HeldSession, calls: [StoreCall])? {
        guard let held = sessions[id] else { return nil }
        guard held.record.lastSeen >= clock.now() - options.sessionTTL else {
            lose(id)
            return nil
        }
        var arguments: [RedisArgument] = [.text(id.description), .integer(options.expiry)]
        arguments += SessionFields.arguments(held.record, home: identity, epoch: held.epoch)
        arguments.append(.integer(held.removed.count))
        arguments += held.removed.keys.map { .text($0.name) }
        let recent = recent.streams(of: id)
        var streams = held.streams
        // Of those that have events to be appended again: where these begin, and not ended before they are there.
        for (name, stream) in recent {
            streams[name] = stream.record
            streams[name]?.lastSequence = stream.floor
            streams[name]?.hasEnded = false
        }
        arguments.append(.integer(streams.count))
        for stream in streams.values {
            arguments += [
                .text(stream.stream.value), .text(stream.kind.rawValue), .bytes(stream.requestIDs ?? ByteBuffer()),
                .integer(stream.createdAt.milliseconds), .text(String(stream.lastSequence)), stream.hasEnded ? "1" : "0",
                .bytes(stream.hasEnded ? ByteBuffer() : stream.repeatableRequests ?? ByteBuffer()),
                .integer(max(stream.repetitions, held.streams[stream.stream]?.repetitions ?? 0)),
            ]
        }
        let write = StoreCall.script(Scripts.restore, keys: [keys.session(id)], arguments: arguments)
        let fence = fence(epoch: held.epoch)
        return (
            held, [write] + recent.map { replay(StreamKey(session: id, stream: $0), $1, fence, ended: held.streams[$0]?.hasEnded == true) }
        )
    }

    private func replay(_ key: StreamKey, _ stream: RecentEvents.Stream, _ fence: Fence, ended: Bool) -> StoreCall {
        let head: [RedisArgument] = [
            fence.incarnation, fence.epoch, .text(key.name), .integer(options.expiry), stream.record.hasEnded || ended ? "1" : "0",
        ]
        return .script(
            Scripts.replay, keys: [keys.session(key.session), keys.stream(key), keys.events(key), keys.aging],
            arguments: head + stream.events.flatMap { [.text(String($0.sequence)), .bytes($0.message)] })
    }

    /// - Returns: whether the session is in Redis, and at home here.
    @discardableResult
    func restored(_ id: SessionID, _ held: HeldSession, _ replies: [RESPValue]) -> Bool {
        guard let outcome = replies.first?.word, outcome == "kept" || outcome == "written" else {
            lose(id)
            return false
        }
        for reply in replies.dropFirst() {
            if let count = reply.elements?.last?.int, count > 0 { counters.restoredEvents.add(Int(count)) }
        }
        if outcome == "written", held.phase == .stored { counters.restored.add() }
        sessions.stored(held)
        return true
    }
}
