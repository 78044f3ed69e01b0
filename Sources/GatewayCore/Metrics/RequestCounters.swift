package import MCPProtocol
import Metrics
import Synchronization

/// How a request ended, for `mcp_requests_total`.
package enum RequestOutcome: Int, CaseIterable {
    case ok, error, cancelled

    var label: String {
        switch self {
        case .ok: "ok"
        case .error: "error"
        case .cancelled: "cancelled"
        }
    }
}

/// `mcp_requests_total` of one upstream: a counter for each method and outcome, made when it is first needed. Counting takes no lock.
package final class RequestCounters: Sendable {
    let upstream: String
    private let slots: [LazyCounter]

    package init(upstream: String) {
        self.upstream = upstream
        slots = Method.requestNames.flatMap { method in
            RequestOutcome.allCases.map { outcome in
                LazyCounter(
                    "mcp_requests_total", [("method", method), ("upstream", upstream), ("outcome", outcome.label)])
            }
        }
    }

    package func count(_ method: MCPProtocol.Method, _ outcome: RequestOutcome) {
        slots[method.requestIndex * RequestOutcome.allCases.count + outcome.rawValue].increment()
    }
}

/// A counter that is registered when it first counts, so that series that never happen are not shown.
final class LazyCounter: Sendable {
    private let label: String
    private let dimensions: [(String, String)]
    private let counter = AtomicLazyReference<Counter>()

    init(_ label: String, _ dimensions: [(String, String)]) {
        self.label = label
        self.dimensions = dimensions
    }

    func increment() { made.increment() }

    /// Shows it from now on, with 0.
    func prepare() { made.increment(by: 0) }

    private var made: Counter { counter.load() ?? counter.storeIfNil(Counter(label: label, dimensions: dimensions)) }
}

extension MCPProtocol.Method {
    private static let requests: [MCPProtocol.Method] = [
        .toolsCall, .toolsList, .initialize, .ping, .promptsList, .promptsGet, .resourcesList, .resourcesTemplatesList, .resourcesRead,
        .resourcesSubscribe, .resourcesUnsubscribe, .completionComplete, .loggingSetLevel, .tasksGet, .tasksResult, .tasksList,
        .tasksCancel,
    ]

    /// The values of the label `method`: known requests, and one for everything else that a client may send.
    static let requestNames: [String] = requests.map(\.name) + ["other"]

    /// The method's place in `requestNames`.
    var requestIndex: Int {
        switch self {
        case .toolsCall: 0
        case .toolsList: 1
        case .initialize: 2
        case .ping: 3
        case .promptsList: 4
        case .promptsGet: 5
        case .resourcesList: 6
        case .resourcesTemplatesList: 7
        case .resourcesRead: 8
        case .resourcesSubscribe: 9
        case .resourcesUnsubscribe: 10
        case .completionComplete: 11
        case .loggingSetLevel: 12
        case .tasksGet: 13
        case .tasksResult: 14
        case .tasksList: 15
        case .tasksCancel: 16
        default: 17
        }
    }
}
