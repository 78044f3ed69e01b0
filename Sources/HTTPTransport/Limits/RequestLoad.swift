import Synchronization

/// What all connections have open together.
final class RequestLoad: Sendable {
    private let maxRequests: Int
    private let maxConnections: Int
    private let requestCount = Atomic<Int>(0)
    private let connectionCount = Atomic<Int>(0)
    private let streamCount = Atomic<Int>(0)

    init(maxRequests: Int, maxConnections: Int) {
        self.maxRequests = maxRequests
        self.maxConnections = maxConnections
    }

    /// Requests whose answer is not complete; streams that only listen are none.
    var requests: Int { requestCount.load(ordering: .relaxed) }
    var connections: Int { connectionCount.load(ordering: .relaxed) }
    /// Open SSE streams.
    var streams: Int { streamCount.load(ordering: .relaxed) }

    /// Takes a place; false when there is none.
    func beginRequest() -> Bool {
        guard requestCount.wrappingAdd(1, ordering: .relaxed).newValue <= maxRequests else {
            requestCount.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func endRequest() { requestCount.wrappingSubtract(1, ordering: .relaxed) }

    /// Takes a place; false when there is none.
    func openConnection() -> Bool {
        guard connectionCount.wrappingAdd(1, ordering: .relaxed).newValue <= maxConnections else {
            connectionCount.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func closeConnection() { connectionCount.wrappingSubtract(1, ordering: .relaxed) }

    func openStream() { streamCount.wrappingAdd(1, ordering: .relaxed) }
    func closeStream() { streamCount.wrappingSubtract(1, ordering: .relaxed) }
}
