import GatewayCore
import RESP

/// The names of all keys. Scripts build the same names from the prefix.
struct StoreKeys: Sendable {
    let prefix: String

    /// Hash: what the cluster shares.
    var cluster: RedisArgument { .text(prefix + "cluster") }
    /// Set: names of instances.
    var instances: RedisArgument { .text(prefix + "instances") }
    /// Hash: the record of an instance.
    func instance(_ name: String) -> RedisArgument { .text(prefix + "instance:" + name) }
    /// Sorted set: ids of all sessions by when they were seen last.
    var sessions: RedisArgument { .text(prefix + "sessions") }
    /// Sorted set: the same of one client.
    func client(_ id: String) -> RedisArgument { .text(prefix + "client:" + id) }
    /// Hash: a session.
    func session(_ id: SessionID) -> RedisArgument { .text(prefix + "session:" + id.description) }
    /// Sorted set: names of a session's streams by when they were made.
    func streams(_ id: SessionID) -> RedisArgument { .text(prefix + "streams:" + id.description) }
    /// Hash: the record of a stream.
    func stream(_ key: StreamKey) -> RedisArgument { .text(prefix + "stream:" + key.name) }
    /// Stream: its events.
    func events(_ key: StreamKey) -> RedisArgument { .text(prefix + "events:" + key.name) }
    /// Sorted set: streams that `prune` has to look at, by when.
    var aging: RedisArgument { .text(prefix + "aging") }
    /// String: who runs a task.
    func task(_ key: String) -> RedisArgument { .text(prefix + "task:" + key) }
    /// Channel: signals between instances.
    var bus: String { prefix + "bus" }
}

/// Names a stream among those of all sessions.
struct StreamKey: Hashable, Sendable {
    let session: SessionID
    let stream: StreamID

    var name: String { session.description + ":" + stream.value }
}
