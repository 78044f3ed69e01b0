/// Bounds of the embedded store's machinery; the defaults suit one gateway instance.
public struct EmbeddedStoreOptions: Sendable, Equatable {
    /// Most operations that wait for the writer; one more completes with a `StoreError`. Default 65,536.
    public var queueCapacity: Int
    /// Most payload bytes that wait for the writer; an operation beyond them completes with a `StoreError`. Default 128 MiB.
    public var queueBytes: Int
    /// Most operations of one transaction. Default 1,000.
    public var operationsPerBatch: Int
    /// Most events of deleted streams that are removed between two batches. Default 1,000.
    public var reclaimedEventsPerBatch: Int
    /// Most streams that one `prune` deletes, and most that it takes events from. Default 2,000.
    public var prunedStreamsPerCall: Int
    /// Events after which one `prune` stops. Default 20,000.
    public var prunedEventsPerCall: Int
    /// Most streams whose counters are kept in memory. Default 20,000.
    public var cachedStreams: Int
    /// Milliseconds to wait for another program that holds the database's write lock (a backup, a shell). Default 5,000.
    public var busyTimeout: Int
    /// Milliseconds between two attempts to write while writes fail, so that the store finds out by itself that it works again. Default 1,000.
    public var probeInterval: Int
    /// Databases up to this many bytes are checked for damage when they are opened. Default 256 MiB (about half a second).
    public var checkedBytes: Int

    public init(
        queueCapacity: Int = 65_536, queueBytes: Int = 128 * 1024 * 1024, operationsPerBatch: Int = 1_000,
        reclaimedEventsPerBatch: Int = 1_000, prunedStreamsPerCall: Int = 2_000, prunedEventsPerCall: Int = 20_000,
        cachedStreams: Int = 20_000, busyTimeout: Int = 5_000,
        probeInterval: Int = 1_000, checkedBytes: Int = 256 * 1024 * 1024
    ) {
        self.queueCapacity = max(1, queueCapacity)
        self.queueBytes = max(1, queueBytes)
        self.operationsPerBatch = max(1, operationsPerBatch)
        self.reclaimedEventsPerBatch = max(1, reclaimedEventsPerBatch)
        self.prunedStreamsPerCall = max(1, prunedStreamsPerCall)
        self.prunedEventsPerCall = max(1, prunedEventsPerCall)
        self.cachedStreams = max(2, cachedStreams)
        self.probeInterval = max(1, probeInterval)
        self.busyTimeout = max(0, busyTimeout)
        self.checkedBytes = checkedBytes
    }
}
