import HTTPTransport

/// Tells when a gateway becomes ready, and what it had waited for.
struct ReadinessHistory {
    /// It is ready now and was not before.
    struct Arrival: Equatable {
        /// False for the first time since the process began.
        let isReturn: Bool
        /// The reasons that there were against it since it was ready last, in the order in which they came up.
        let missing: [String]
    }

    /// Reasons that are remembered; the text of one may change while it lasts.
    private static let maximumReasons = 16
    private var isReady = false
    private var wasEverReady = false
    private var missing: [String] = []

    mutating func observe(_ report: ReadinessReport) -> Arrival? {
        guard report.ready else {
            isReady = false
            for reason in report.reasons where !missing.contains(reason) && missing.count < Self.maximumReasons { missing.append(reason) }
            return nil
        }
        guard !isReady else { return nil }
        isReady = true
        defer {
            wasEverReady = true
            missing.removeAll()
        }
        return Arrival(isReturn: wasEverReady, missing: missing)
    }
}
