#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the process costs, by the names that Prometheus's client libraries use. All of it on Linux; elsewhere the time on the
/// processor and the limit of descriptors.
public struct ProcessMetrics: Sendable {
    /// For `MetricsRegistry.init`.
    public static let descriptions: [MetricDescription] = [
        .init("process_cpu_seconds_total", .counter, "Time on the processors, in user and in system mode, in seconds."),
        .init("process_resident_memory_bytes", .gauge, "Memory that is in RAM, in bytes."),
        .init("process_virtual_memory_bytes", .gauge, "Address space in use, in bytes."),
        .init("process_start_time_seconds", .gauge, "Start of the process, in seconds since 1970-01-01T00:00:00Z."),
        .init("process_open_fds", .gauge, "Open file descriptors."),
        .init("process_max_fds", .gauge, "File descriptors that may be open."),
        .init("process_threads", .gauge, "Threads of the process."),
    ]

    private let startTime: Double?

    /// Finds out when the process started.
    public init() {
        #if os(Linux)
            startTime = ProcessStatus.current()?.startTime
        #else
            startTime = nil
        #endif
    }

    /// Adds the figures. What the system does not tell is left out. For `MetricsRegistry.onCollect(_:)`.
    public func collect(_ collection: MetricsCollection) {
        if let seconds = Self.processorTime() { collection.counter("process_cpu_seconds_total", seconds) }
        if let limit = Self.descriptorLimit() { collection.gauge("process_max_fds", limit) }
        if let startTime { collection.gauge("process_start_time_seconds", startTime) }
        #if os(Linux)
            if let status = ProcessStatus.current() {
                collection.gauge("process_resident_memory_bytes", status.residentBytes)
                collection.gauge("process_virtual_memory_bytes", status.virtualBytes)
                collection.gauge("process_threads", status.threads)
            }
            if let count = Self.openDescriptors() { collection.gauge("process_open_fds", count) }
        #endif
    }

    private static func processorTime() -> Double? {
        var usage = rusage()
        #if canImport(Glibc)
            guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        #else
            guard getrusage(RUSAGE_SELF, &usage) == 0 else { return nil }
        #endif
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func descriptorLimit() -> UInt64? {
        var limit = rlimit()
        #if canImport(Glibc)
            guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        #else
            guard getrlimit(RLIMIT_NOFILE, &limit) == 0 else { return nil }
        #endif
        return UInt64(limit.rlim_cur)
    }

    #if os(Linux)
        private static func openDescriptors() -> Int? {
            guard let directory = opendir("/proc/self/fd") else { return nil }
            defer { closedir(directory) }
            // Not ".", "..", and the descriptor that reads them.
            var count = -3
            while readdir(directory) != nil { count += 1 }
            return max(0, count)
        }
    #endif
}
