import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The process's limit on open files. Many systems begin processes with 1,024 and let them have far more.
enum OpenFileLimit {
    /// What the gateway needs besides connections of clients: the store, children's pipes, listeners.
    private static let reserve: UInt64 = 256

    /// Raises the limit as far as the system lets the process, and warns when `connections` do not fit.
    static func raise(for connections: Int, logger: Logger) {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        guard UInt64(limit.rlim_cur) < UInt64(connections) + reserve else { return }
        logger.warning(
            "the limit on open files is too low for limits.maxConnections; raise it (ulimit -n, LimitNOFILE=) or lower the setting",
            metadata: ["openFiles": "\(limit.rlim_cur)", "maxConnections": "\(connections)"])
    }
}
