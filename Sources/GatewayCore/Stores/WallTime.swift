#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A point in time that means the same on every instance and after a restart: milliseconds since 1970-01-01 UTC.
public struct WallTime: Sendable, Hashable, Comparable {
    public let milliseconds: Int64

    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: WallTime, right: WallTime) -> Bool { left.milliseconds < right.milliseconds }

    public static func + (time: WallTime, duration: Duration) -> WallTime {
        let (seconds, attoseconds) = duration.components
        return WallTime(milliseconds: time.milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    public static func - (time: WallTime, duration: Duration) -> WallTime { time + (.zero - duration) }
}

/// Where the gateway takes the time from; tests pass their own.
public struct GatewayClock: Sendable {
    /// The time of day.
    public let now: @Sendable () -> WallTime

    public init(now: @escaping @Sendable () -> WallTime) { self.now = now }

    /// The system's clock.
    public static let system = GatewayClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
