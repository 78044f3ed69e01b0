import NIOHTTP1

/// What a request's path names. Everything that differs between paths before a handler runs is decided here.
package enum HTTPRoute: Equatable {
    case mcp(MCPEndpoint)
    /// `/sse`, `/servers/<name>/sse`: the stream of HTTP+SSE.
    case sse(MCPEndpoint)
    /// `/messages`, `/servers/<name>/messages`: what its clients send.
    case messages(MCPEndpoint)
    /// `/sse/events`
    case events
    case api(APIRoute)
    case health
    case ready
    case metrics
    case unknown

    /// The routes of the REST API that are answered by the router.
    package enum APIRoute: String, CaseIterable {
        case createSession = "/api/session/create"
        case validateSession = "/api/session/validate"
        case session = "/api/session"
        case ticket = "/api/session/ticket"
        case sessions = "/api/sessions"
        case tools = "/api/mcp/tools"
        case call = "/api/mcp/call"
        case openAPI = "/api/openapi.json"
    }

    init(path: Substring, settings: HTTPTransportSettings, hasMetrics: Bool) {
        let isAPIEnabled = settings.isAPIEnabled
        if let endpoint = MCPEndpoint(path: path, name: "/mcp") {
            self = .mcp(endpoint)
            return
        }
        if settings.servesHTTPSSE {
            if let endpoint = MCPEndpoint(path: path, name: "/sse") {
                self = .sse(endpoint)
                return
            }
            if let endpoint = MCPEndpoint(path: path, name: "/messages") {
                self = .messages(endpoint)
                return
            }
        }
        switch path {
        case "/health": self = .health
        case "/ready": self = .ready
        case "/metrics" where hasMetrics: self = .metrics
        case "/sse/events" where isAPIEnabled: self = .events
        default:
            if isAPIEnabled, let route = APIRoute(rawValue: String(path)) {
                self = .api(route)
            } else {
                self = .unknown
            }
        }
    }

    /// The value of the label `route`. A name that a client can choose is none of it.
    var label: String {
        switch self {
        case .mcp(.all): "/mcp"
        case .mcp(.server): "/servers/{server}/mcp"
        case .sse(.all): "/sse"
        case .sse(.server): "/servers/{server}/sse"
        case .messages(.all): "/messages"
        case .messages(.server): "/servers/{server}/messages"
        case .events: "/sse/events"
        case .api(let route): route.rawValue
        case .health: "/health"
        case .ready: "/ready"
        case .metrics: "/metrics"
        case .unknown: "other"
        }
    }

    /// A small number for each label.
    var number: UInt8 {
        switch self {
        case .mcp(.all): 0
        case .mcp(.server): 1
        case .events: 2
        case .health: 3
        case .ready: 4
        case .metrics: 5
        case .unknown: 6
        case .api(let route):
            switch route {
            case .createSession: 7
            case .validateSession: 8
            case .session: 9
            case .ticket: 10
            case .sessions: 11
            case .tools: 12
            case .call: 13
            case .openAPI: 14
            }
        case .sse(.all): 15
        case .sse(.server): 16
        case .messages(.all): 17
        case .messages(.server): 18
        }
    }

    /// Whether errors are JSON-RPC errors; else they are those of the REST API.
    var isMCP: Bool { endpoint != nil }

    /// Which servers it leads to; nil where that is no question.
    var endpoint: MCPEndpoint? {
        switch self {
        case .mcp(let endpoint), .sse(let endpoint), .messages(let endpoint): endpoint
        case .events, .api, .health, .ready, .metrics, .unknown: nil
        }
    }

    /// Whether a foreign `Host` is let in: probes ask by address, and there is nothing to steal.
    var isProbe: Bool { self == .health || self == .ready }

    /// Whether it tells of the gateway itself.
    var isForOperators: Bool { isProbe || self == .metrics }

    /// Whether the hot path answers it; other known routes are the router's.
    var isHot: Bool {
        switch self {
        case .mcp, .sse, .messages, .events: true
        case .api, .health, .ready, .metrics, .unknown: false
        }
    }

    /// Whether another instance may serve it: what concerns a session.
    var mayBeForwarded: Bool { isHot || isAPI }

    private var isAPI: Bool {
        if case .api = self { true } else { false }
    }

    /// The methods that a router's path has; nil where others decide.
    var methods: String? {
        switch self {
        case .mcp, .unknown: nil
        case .events, .sse: "GET"
        case .messages: "POST"
        case .health, .ready, .metrics: "GET, HEAD"
        case .api(let route):
            switch route {
            case .createSession, .validateSession, .ticket, .call: "POST"
            case .session: "DELETE"
            case .sessions, .tools, .openAPI: "GET, HEAD"
            }
        }
    }

    func allows(_ method: HTTPMethod) -> Bool {
        guard let methods else { return true }
        return methods.split(separator: ", ").contains { $0 == method.rawValue }
    }
}
