import Metrics
import NIOConcurrencyHelpers

/// A bound of the configuration that a request, a client or a server can run into; the raw value is its key.
public enum LimitKey: String, Sendable, Hashable, CaseIterable {
    case maxBodyBytes = "limits.maxBodyBytes"
    case maxHeaderBytes = "limits.maxHeaderBytes"
    case maxNestingDepth = "limits.maxNestingDepth"
    case maxBatchSize = "limits.maxBatchSize"
    case maxConcurrentPerSession = "limits.maxConcurrentPerSession"
    case maxConcurrentRequests = "limits.maxConcurrentRequests"
    case maxConnections = "limits.maxConnections"
    case headerTimeout = "limits.headerTimeout"
    case bodyTimeout = "limits.bodyTimeout"
    case idleTimeout = "limits.idleTimeout"
    case writeTimeout = "limits.writeTimeout"
    case requestRatePerSession = "limits.requestRatePerSession"
    case requestRatePerClient = "limits.requestRatePerClient"
    case maxListeningStreamsPerSession = "limits.maxListeningStreamsPerSession"
    case maxInFlightPerUpstream = "limits.maxInFlightPerUpstream"
    case maxParkedExchanges = "limits.maxParkedExchanges"
    case parkedExchangeTimeout = "limits.parkedExchangeTimeout"
    case maxInputRounds = "limits.maxInputRounds"
    case maxSubscriptions = "limits.maxSubscriptions"
    case maxSessionProcesses = "limits.maxSessionProcesses"
    case maxLineBytes = "limits.maxLineBytes"
    case maxQueuedInputBytes = "limits.maxQueuedInputBytes"
    case maxSessions = "sessions.maxSessions"
    case maxSessionsPerClient = "sessions.maxSessionsPerClient"
    case slowReaderBuffer = "streams.slowReaderBuffer"
    case maxEventsPerStream = "streams.maxEventsPerStream"
    case maxBytesPerStream = "streams.maxBytesPerStream"
    case maxRepetitions = "streams.maxRepetitions"
    case maxMetadataBytes = "api.maxMetadataBytes"
}

/// `mcp_limit_hits_total{limit}`: how often each bound was run into. The label's values are the keys of the configuration, no others.
public enum LimitHits {
    private struct State {
        /// Made with the first hit, or by `prepare`: what is made before `MetricsSystem.bootstrap` records nothing.
        var counters: [LimitKey: Counter] = [:]
        var totals: [LimitKey: Int] = [:]
    }

    private static let state = NIOLockedValueBox(State())

    /// Makes the counters, so that all limits are shown, with 0. To be called once after `MetricsSystem.bootstrap`.
    public static func prepare() {
        for limit in LimitKey.allCases { count(limit, by: 0) }
    }

    /// Counts hits of a limit. Callable from any thread; hits are rare enough for a lock.
    public static func count(_ limit: LimitKey, by hits: Int = 1) {
        let counter = state.withLockedValue { state in
            state.totals[limit, default: 0] += hits
            if let counter = state.counters[limit] { return counter }
            let counter = Counter(label: "mcp_limit_hits_total", dimensions: [("limit", limit.rawValue)])
            state.counters[limit] = counter
            return counter
        }
        counter.increment(by: hits)
    }

    /// Hits of a limit since the process began.
    public static func total(_ limit: LimitKey) -> Int { state.withLockedValue { $0.totals[limit] ?? 0 } }
}
