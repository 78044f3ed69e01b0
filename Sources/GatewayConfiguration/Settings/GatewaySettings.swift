/// The `gateway` object of the configuration file. Every property is documented, with its variable and range, in `docs/configuration.md`.
///
/// The property values below are the defaults; `ConfigurationKeys` reads them from here, so there is no second list.
public struct GatewaySettings: Sendable, Equatable {
    /// Names this instance in logs, metrics and ownership records; `[A-Za-z0-9._-]{1,64}`. Default: the host name.
    public var instanceID = SystemDefaults.instanceID()
    /// Colour of a blue-green deployment that this instance belongs to.
    public var colour: String?
    /// What `mcp-gateway` serves when no command says otherwise.
    public var transport = DownstreamTransport.http
    /// Address to listen on. Anything but loopback needs `insecureAllowRemote`.
    public var host = "127.0.0.1"
    /// TCP port to listen on; 0 lets the system choose a free one.
    public var port = 3001
    /// Permits a non-loopback `host` although the gateway does not authenticate its clients.
    public var insecureAllowRemote = false
    /// `Origin` header values that are accepted, such as `https://app.example.com`; empty: loopback origins only.
    public var allowedOrigins: [String] = []
    /// `Host` header values that are accepted, with or without port; empty: loopback names and `host`.
    public var allowedHosts: [String] = []
    /// Whether clients may be answered with, and may open, SSE streams.
    public var enableSSE = true
    /// Whether HTTP+SSE, the transport of 2024-11-05, is served too.
    public var enableLegacySSE = true
    /// Number of event loops that serve clients.
    public var threads = SystemDefaults.threads()
    /// How long open exchanges may go on after SIGTERM.
    public var drainTimeout = Duration.seconds(30)
    /// How long the gateway waits for its upstreams at start before it serves without the late ones.
    public var startupWait = Duration.seconds(10)
    /// Entries per page of `tools/list` and the other lists, and of `GET /api/sessions`.
    public var pageSize = 500
    /// Where sessions and event streams are kept.
    public var store = StoreSettings()
    /// How instances that share a store work together.
    public var cluster = ClusterSettings()
    /// How long sessions live.
    public var sessions = SessionSettings()
    /// SSE streams and their event log.
    public var streams = StreamSettings()
    /// Bounds on what one client or one upstream may take.
    public var limits = LimitSettings()
    /// The REST API.
    public var api = APISettings()
    /// Metrics.
    public var metrics = MetricsSettings()
    /// The log.
    public var log = LogSettings()
    /// What `mcp-gateway nginx-config` writes.
    public var nginx = NGINXSettings()
    /// The built-in tools.
    public var environmentTools = EnvironmentToolSettings()

    /// The defaults.
    public init() {}

    /// Whether `host` names this machine's loopback interface only.
    public var isLoopback: Bool { Self.isLoopback(host) }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
