import EnvironmentTools
import GatewayConfiguration
import GatewayCore
import HTTPTransport
import Logging
import NIOCore
import Telemetry
import Upstreams

/// From the configuration to what each module wants to know of it.
extension GatewaySettings {
    var core: CoreSettings {
        var core = CoreSettings()
        core.sessionTTL = sessions.timeToLive
        core.streamRetention = streams.retention
        core.sweepInterval = TimeAmount(sessions.sweepInterval)
        core.memoryIdleTime = sessions.idleEviction
        core.maxSessions = sessions.maxSessions
        core.maxSessionsPerClient = sessions.maxSessionsPerClient
        core.maxConcurrentPerSession = limits.maxConcurrentPerSession
        core.requestRatePerSession = limits.requestRatePerSession
        core.requestRatePerClient = limits.requestRatePerClient
        core.maxListeningStreams = limits.maxListeningStreamsPerSession
        core.maxRepetitions = streams.maxRepetitions
        core.maxParkedExchanges = limits.maxParkedExchanges
        core.maxInputRounds = limits.maxInputRounds
        core.maxSubscriptions = limits.maxSubscriptions
        core.parkedExchangeTimeout = TimeAmount(limits.parkedExchangeTimeout)
        core.pageSize = pageSize
        core.startupWait = TimeAmount(startupWait)
        core.serverVersion = GatewayVersion.current
        return core
    }

    var http: HTTPTransportSettings {
        var http = HTTPTransportSettings()
        http.host = host
        http.port = port
        http.allowedOrigins = allowedOrigins
        http.allowedHosts = allowedHosts
        http.enableSSE = enableSSE
        http.enableLegacySSE = enableLegacySSE
        http.retry = TimeAmount(streams.retry)
        http.keepAlive = TimeAmount(streams.keepAlive)
        http.firstEventWait = TimeAmount(streams.firstEventWait)
        http.slowReaderBuffer = streams.slowReaderBuffer
        http.maxBodyBytes = limits.maxBodyBytes
        http.maxHeaderBytes = limits.maxHeaderBytes
        http.maxNestingDepth = limits.maxNestingDepth
        http.maxBatchSize = limits.maxBatchSize
        http.eventsKeepAlive = TimeAmount(streams.eventsKeepAlive)
        http.headerTimeout = TimeAmount(limits.headerTimeout)
        http.bodyTimeout = TimeAmount(limits.bodyTimeout)
        http.idleTimeout = TimeAmount(limits.idleTimeout)
        http.writeTimeout = TimeAmount(limits.writeTimeout)
        http.maxConcurrentRequests = limits.maxConcurrentRequests
        http.maxConnections = limits.maxConnections
        http.isAPIEnabled = api.enabled
        http.ticketLifetime = api.ticketLifetime
        http.maxMetadataBytes = api.maxMetadataBytes
        http.ownerWait = TimeAmount(cluster.heartbeat + .milliseconds(250))
        http.forwardTimeout = TimeAmount(cluster.lease + .seconds(1))
        http.drainTimeout = TimeAmount(drainTimeout)
        return http
    }

    var childLimits: ChildLimits {
        var child = ChildLimits()
        child.maxLineBytes = limits.maxLineBytes
        child.maxQueuedInputBytes = limits.maxQueuedInputBytes
        return child
    }

    var environment: EnvironmentToolsSettings {
        var settings = EnvironmentToolsSettings()
        settings.repositoryPath = environmentTools.repository
        settings.dockerSocketPath = environmentTools.dockerSocket
        if let host = environmentTools.databaseHost { settings.database = .init(host: host, port: environmentTools.databasePort) }
        return settings
    }

    var logFormat: LogFormat {
        switch log.format {
        case .auto: .auto
        case .text: .text
        case .json: .json
        }
    }
}

extension LogSettings {
    /// `levels`, as the log takes them.
    var prefixRules: [(prefix: String, level: Logger.Level)] { levelRules.map { ($0.module, $0.level) } }
}

extension TimeAmount {
    /// The same span; what does not fit is clamped.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self = .nanoseconds(overflow ? .max : product + attoseconds / 1_000_000_000)
    }
}
