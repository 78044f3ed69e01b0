/// What `/health` says.
public struct HealthReport: Sendable, Codable {
    /// One part of the gateway.
    public struct Component: Sendable, Codable {
        /// `ok` or `degraded`.
        public var status: String
        /// What is wrong, for people.
        public var detail: String?

        public init(status: String, detail: String? = nil) {
            self.status = status
            self.detail = detail
        }
    }

    /// One upstream.
    public struct Upstream: Sendable, Codable {
        public var name: String
        /// `ready`, `starting` or `failed`.
        public var status: String
        public var reason: String?
        /// Whether `/ready` fails while it is not ready.
        public var required: Bool

        public init(name: String, status: String, reason: String?, required: Bool) {
            self.name = name
            self.status = status
            self.reason = reason
            self.required = required
        }
    }

    /// `ok`, `degraded` while a component is, or `draining` while the process is on its way out.
    public var status: String
    public var version: String
    public var instance: String
    /// Of a blue-green deployment.
    public var colour: String?
    public var uptimeSeconds: Int
    /// The kind of store.
    public var store: String
    public var sessionsInMemory: Int
    public var openExchanges: Int
    public var components: [String: Component]
    public var upstreams: [Upstream]

    public init(
        status: String, version: String, instance: String, colour: String?, uptimeSeconds: Int, store: String, sessionsInMemory: Int,
        openExchanges: Int, components: [String: Component], upstreams: [Upstream]
    ) {
        self.status = status
        self.version = version
        self.instance = instance
        self.colour = colour
        self.uptimeSeconds = uptimeSeconds
        self.store = store
        self.sessionsInMemory = sessionsInMemory
        self.openExchanges = openExchanges
        self.components = components
        self.upstreams = upstreams
    }
}

/// What `/ready` says.
public struct ReadinessReport: Sendable, Codable {
    /// Whether a load balancer may send requests.
    public var ready: Bool
    /// Why not.
    public var reasons: [String]

    /// Ready when there is no reason against it.
    public init(reasons: [String]) {
        ready = reasons.isEmpty
        self.reasons = reasons
    }
}
