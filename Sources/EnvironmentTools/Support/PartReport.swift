/// How a part of the environment was found. The raw values are part of the tool's `outputSchema`.
enum PartStatus: String, Encodable, Sendable, CaseIterable {
    /// There and answering.
    case available
    /// Not on this machine, or not usable by this user; nothing is broken.
    case absent
    /// The configuration names none.
    case notConfigured = "not_configured"
    /// The caller asked not to look.
    case notChecked = "not_checked"
    /// Configured, but it does not answer.
    case unreachable
    /// It answered something that makes no sense, or the check itself failed.
    case error
}

/// What was found out about one part of the environment.
struct PartReport<Details: Encodable & Sendable>: Encodable, Sendable {
    var status: PartStatus
    /// Why the status is not `available`, or what is missing from the details; with what to do where that is known.
    var reason: String?
    var details: Details?

    static func available(_ details: Details, reason: String? = nil) -> Self {
        Self(status: .available, reason: reason, details: details)
    }

    static func without(_ status: PartStatus, _ reason: String) -> Self {
        Self(status: status, reason: reason, details: nil)
    }

    static var notChecked: Self { without(.notChecked, "the caller switched this check off") }
}
