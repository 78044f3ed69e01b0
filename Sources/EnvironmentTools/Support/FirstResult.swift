/// Runs `operation` and returns its result, or `onTimeout` when it takes longer than `limit`.
///
/// The operation is cancelled at the limit but not waited for: a system call that cannot be interrupted (a `git` on a dead network
/// file system) must not hold up the caller.
func firstResult<Result: Sendable>(
    within limit: Duration,
    clock: any Clock<Duration>,
    onTimeout: Result,
    operation: @escaping @Sendable () async -> Result
) async -> Result {
    let (results, continuation) = AsyncStream.makeStream(of: Result.self, bufferingPolicy: .bufferingOldest(1))
    let work = Task { continuation.yield(await operation()) }
    let alarm = Task {
        try await clock.sleep(for: limit)
        continuation.yield(onTimeout)
    }
    defer {
        work.cancel()
        alarm.cancel()
        continuation.finish()
    }
    // Ends without an element only when the caller itself was cancelled; nobody reads the value then.
    for await result in results { return result }
    return onTimeout
}
