/// Where a request of a session is served.
public enum SessionPlace: Sendable {
    /// Here.
    case here(Session)
    /// At another instance. A request that came from an instance is not sent on; that one is told.
    case elsewhere(InstanceRecord)
    /// Nowhere at the moment: its home cannot be reached, is leaving, or is not taken for dead yet. To be asked again soon.
    case moving
    /// There is no such session: the id is forged, or it has ended or expired.
    case unknown
}

/// Who sends a request.
public enum RequestSource: Sendable, Hashable {
    case client
    /// Another instance, that could not serve it itself; `hasStore`: it reaches the shared store.
    case instance(hasStore: Bool)

    public var isClient: Bool { self == .client }
}

/// The instances that a request was sent to in vain, and why they are not asked again for it.
public struct TriedInstances: Sendable {
    private(set) var refused: Set<InstanceIdentity> = []

    public init() {}

    /// It said no, or could not be reached.
    public mutating func add(_ instance: InstanceIdentity) { refused.insert(instance) }
    /// They may be asked again.
    public mutating func forget() { refused.removeAll() }
    public func contains(_ instance: InstanceRecord) -> Bool { refused.contains(instance.identity) }
}
