public import NIOCore

/// One configured upstream.
public struct UpstreamDefinition: Sendable {
    public let name: String
    public let isolation: Isolation
    public let factory: any UpstreamLinkFactory
    /// How long it may be silent about a request.
    public var callTimeout: TimeAmount = .seconds(60)
    public var handshakeTimeout: TimeAmount = .seconds(30)
    /// Which era it is taken to be of.
    public var era = EraPolicy.auto
    /// How long it may take to answer `server/discover` before it is asked to `initialize`.
    public var probeTimeout: TimeAmount = .seconds(5)
    /// A session's own process that was not used for this long is stopped.
    public var idleTimeout: TimeAmount = .minutes(10)
    /// Processes of one upstream for different sessions at once.
    public var maxSessionProcesses = 200
    public var maxInFlight = 4096
    /// The gateway is not ready (`/ready`) while it is not up.
    public var required = false
    public var toolFilter = ToolFilter.everything
    public var backoff = RestartBackoff.Policy()
    /// Two definitions with the same fingerprint have the same process: a reload leaves it alone, and takes over `required`.
    public let fingerprint: String

    public init(name: String, isolation: Isolation, factory: any UpstreamLinkFactory, fingerprint: String) {
        self.name = name
        self.isolation = isolation
        self.factory = factory
        self.fingerprint = fingerprint
    }
}
