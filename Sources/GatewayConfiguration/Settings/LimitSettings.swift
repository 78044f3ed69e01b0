/// Bounds on what one client or one upstream may take (`gateway.limits`).
public struct LimitSettings: Sendable, Equatable {
    /// Bytes of one request body and of one message of an upstream.
    public var maxBodyBytes = 16 << 20
    /// Bytes of the headers of one request.
    public var maxHeaderBytes = 32 << 10
    /// Requests that one upstream works on at once.
    public var maxInFlightPerUpstream = 4096
    /// Requests of one session at once.
    public var maxConcurrentPerSession = 256
    /// Child processes per upstream with `isolation: session`.
    public var maxSessionProcesses = 200
    /// Levels of nesting in a JSON message.
    public var maxNestingDepth = 512
    /// Messages in one JSON-RPC batch.
    public var maxBatchSize = 100
    /// Listening (GET) streams of one session at once.
    public var maxListeningStreamsPerSession = 16

    /// The defaults.
    public init() {}
}
